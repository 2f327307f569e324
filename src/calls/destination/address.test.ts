import { expect, test } from "bun:test";
import { inRange, isPublicAddress, parseAddress, parseRange } from "./address.ts";

const isPublic = (text: string) => isPublicAddress(parseAddress(text)!);

test("private, local, shared, reserved and multicast addresses are not public", () => {
  for (const text of [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "2002:7f00:1::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
  ])
    expect([text, isPublic(text)]).toEqual([text, false]);
});

test("addresses of the public Internet are, also in the two IPv6 forms that carry one", () => {
  for (const text of [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "[2a00:1450::8a]",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
  ])
    expect([text, isPublic(text)]).toEqual([text, true]);
});

test("only canonical notations are addresses", () => {
  for (const text of ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "1.2.3", "fe80::1%eth0", "::1::", "a.b"])
    expect([text, parseAddress(text)]).toEqual([text, undefined]);
});

test("a range holds its addresses and no other", () => {
  const range = parseRange("10.1.0.0/16")!;
  expect(inRange(parseAddress("10.1.255.255")!, range)).toBe(true);
  expect(inRange(parseAddress("10.2.0.0")!, range)).toBe(false);
  expect(inRange(parseAddress("::a01:1")!, range)).toBe(false);
  for (const text of ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "x/8", "10.0.0.0/ 8"])
    expect([text, parseRange(text)]).toEqual([text, undefined]);
});
