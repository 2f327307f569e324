/** Attestations and bills of materials of a release: pure functions over bytes and keys. */
export { keyIdOf, openEnvelope, readEnvelope, signStatement } from "./envelope.ts";
export { provenanceStatement, STATEMENT_TYPE, type Verified, verifyProvenance } from "./provenance.ts";
export { type Component, cargoComponents, cycloneDx, npmComponents, packageUrl } from "./sbom.ts";
