import { expect, test } from "bun:test";
import { exampleLease } from "./example.ts";
import { importPublicKey, importSecretKey, newSigningKey, signLease, verifyLease } from "./signature.ts";

test("a signed lease verifies, and no field can be changed, added or taken away afterwards", () => {
  const pair = newSigningKey();
  const lease = signLease(exampleLease(), importSecretKey(pair.secret));
  const key = importPublicKey(pair.publicKey);
  expect(verifyLease(lease, key)).toBe(true);
  for (const field of Object.keys(lease)) {
    if (field === "signature") continue;
    expect(verifyLease({ ...lease, [field]: "changed" } as never, key)).toBe(false);
    const { [field as "leaseId"]: _, ...without } = lease;
    expect(verifyLease(without as never, key)).toBe(false);
  }
  expect(verifyLease({ ...lease, extra: 1 } as never, key)).toBe(false);
  expect(verifyLease(lease, importPublicKey(newSigningKey().publicKey))).toBe(false);
});
