/** Attestations and bills of materials of a release: pure functions over bytes and keys. */
export {
  type Envelope,
  IN_TOTO_TYPE,
  keyIdOf,
  openEnvelope,
  readEnvelope,
  signStatement,
} from "./envelope.ts";
export {
  BUILD_TYPE,
  type Material,
  PROVENANCE_TYPE,
  provenanceStatement,
  STATEMENT_TYPE,
  type Subject,
  type TaskFacts,
  type Verified,
  verifyProvenance,
} from "./provenance.ts";
export { type Component, cargoComponents, cycloneDx, npmComponents, packageUrl } from "./sbom.ts";
