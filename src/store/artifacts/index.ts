export { type DuePage, type DueReference, dueReferences, expireReferences } from "./expire.ts";
export { holdsOn, type LegalHold, listHolds, placeHold, readHold, releaseHold } from "./holds.ts";
export { noteOrphans } from "./orphans.ts";
export { isWanted, wouldGo } from "./over.ts";
export {
  countExpiredQuarantine,
  discardQuarantined,
  listQuarantined,
  noteQuarantined,
  type QuarantinedUpload,
} from "./quarantine.ts";
export {
  type ArtifactReferenceRow,
  expiredLogs,
  findArtifact,
  findReference,
  isKeptForever,
  type KnownArtifact,
  listReferences,
  noteUpload,
  referencesTo,
  runIdOf,
} from "./references.ts";
export { pendingRemovals } from "./removals.ts";
export { removeDigests, type Swept, sweepArtifacts } from "./sweep.ts";
