import { expect, test } from "bun:test";
import { seccompFilter } from "./seccomp.ts";

const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;

interface Call {
  readonly audit: number;
  readonly number: number;
  readonly arguments?: readonly number[];
}

/** The kernel's classic BPF machine, as far as the filter uses it. */
function decide(filter: Uint8Array, call: Call): number {
  const code = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.audit, true);
  for (const [index, value] of (call.arguments ?? []).entries()) data.setUint32(16 + index * 8, value, true);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const operation = code.getUint16(at * 8, true);
    const [ifTrue, ifFalse] = [code.getUint8(at * 8 + 2), code.getUint8(at * 8 + 3)];
    const value = code.getUint32(at * 8 + 4, true);
    if (operation === 0x20) accumulator = data.getUint32(value, true);
    else if (operation === 0x06) return value;
    else if (operation === 0x15) at += accumulator === value ? ifTrue : ifFalse;
    else if (operation === 0x35) at += accumulator >= value ? ifTrue : ifFalse;
    else if (operation === 0x45) at += (accumulator & value) !== 0 ? ifTrue : ifFalse;
    else throw new Error(`instruction ${at}: operation ${operation}`);
  }
}

const MACHINES = [
  { name: "x64", audit: 0xc000003e, read: 0, mount: 165, unshare: 272, clone: 56, ioctl: 16, execve: 59 },
  { name: "arm64", audit: 0xc00000b7, read: 63, mount: 40, unshare: 97, clone: 220, ioctl: 29, execve: 221 },
] as const;

for (const machine of MACHINES) {
  test(`the filter for ${machine.name} refuses what it names and lets the rest pass`, () => {
    const filter = seccompFilter(machine.name)!;
    const of = (number: number, ...args: number[]) =>
      decide(filter, { audit: machine.audit, number, arguments: args });
    expect(filter.length / 8).toBeLessThan(4096);
    for (const number of [machine.read, machine.execve]) expect(of(number)).toBe(ALLOW);
    for (const number of [machine.mount, machine.unshare, 428, 442]) expect(of(number)).toBe(EPERM);
    // clone3 hides its flags in memory, so libraries are sent to clone, whose flags can be seen.
    for (const number of [435, 425]) expect(of(number)).toBe(ENOSYS);
    const [fork, thread, user, network] = [0x11, 0x003d0f00, 0x10000011, 0x40000011];
    expect([fork, thread, user, network].map((flags) => of(machine.clone, flags))).toEqual([
      ALLOW,
      ALLOW,
      EPERM,
      EPERM,
    ]);
    const [size, push, linux] = [0x5413, 0x5412, 0x541c];
    expect([size, push, linux].map((request) => of(machine.ioctl, 0, request))).toEqual([
      ALLOW,
      EPERM,
      EPERM,
    ]);
    // Another calling convention has other numbers.
    expect(decide(filter, { audit: 0x40000003, number: machine.read })).toBe(ENOSYS);
  });
}

test("the x32 numbers of x64 are no way around, and an unknown machine has no filter", () => {
  const filter = seccompFilter("x64")!;
  expect(decide(filter, { audit: 0xc000003e, number: 0x40000000 | 165 })).toBe(ENOSYS);
  expect(seccompFilter("mips" as NodeJS.Architecture)).toBeNull();
});
