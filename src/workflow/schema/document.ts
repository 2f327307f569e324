import { type Static, Type } from "@sinclair/typebox";
import { AuthenticationPolicy } from "./authentication.ts";
import { closed, freeMap, mapOf, named, TaskListReference, TaskReference, wordOf } from "./build.ts";
import { Catalog, Condition, Duration, Input, Output, Timeout, TimeoutOrName } from "./common.ts";
import { ErrorDefinition } from "./error.ts";
import { EventStrategy, ReadMode } from "./events.ts";
import { Metadata } from "./light-workflow.ts";
import { RetryPolicy } from "./retry.ts";
import { DnsLabel, SemanticVersion } from "./text.ts";

export const DocumentHeader = closed(
  {
    dsl: SemanticVersion,
    namespace: DnsLabel,
    name: DnsLabel,
    version: SemanticVersion,
    title: Type.Optional(Type.String()),
    summary: Type.Optional(Type.String()),
    tags: Type.Optional(freeMap()),
    metadata: Type.Optional(Metadata),
  },
  { $id: "DocumentHeader" },
);
export type DocumentHeader = Static<typeof DocumentHeader>;

export const Extension = closed(
  {
    extend: wordOf(
      "call",
      "composite",
      "emit",
      "for",
      "listen",
      "raise",
      "run",
      "set",
      "switch",
      "try",
      "wait",
      "all",
    ),
    when: Type.Optional(Condition),
    before: Type.Optional(TaskListReference),
    after: Type.Optional(TaskListReference),
  },
  { $id: "Extension" },
);
export type Extension = Static<typeof Extension>;

export const Use = closed(
  {
    authentications: Type.Optional(mapOf(AuthenticationPolicy)),
    catalogs: Type.Optional(mapOf(Catalog)),
    errors: Type.Optional(mapOf(ErrorDefinition)),
    extensions: Type.Optional(Type.Array(named(Extension))),
    functions: Type.Optional(mapOf(TaskReference)),
    retries: Type.Optional(mapOf(RetryPolicy)),
    secrets: Type.Optional(Type.Array(Type.String())),
    timeouts: Type.Optional(mapOf(Timeout)),
  },
  { $id: "Use" },
);
export type Use = Static<typeof Use>;

export const Schedule = closed(
  {
    every: Type.Optional(Duration),
    cron: Type.Optional(Type.String()),
    after: Type.Optional(Duration),
    on: Type.Optional(EventStrategy),
    /** Renamed specification; only beside `on`. */
    read: Type.Optional(ReadMode),
  },
  { $id: "Schedule" },
);
export type Schedule = Static<typeof Schedule>;

export const Evaluate = closed(
  {
    /** Only `jq` is supported. */
    language: Type.Optional(Type.String()),
    /** Default `strict`. */
    mode: Type.Optional(wordOf("strict", "loose")),
  },
  { $id: "Evaluate" },
);
export type Evaluate = Static<typeof Evaluate>;

/**
 * The whole document (DSL 1.0.3, chapter "Workflow"). Its root is open in the specification, so other keys are
 * admitted here and reported as warnings by `checkDocument`; everything below is closed.
 */
export const Document = Type.Object(
  {
    /** For editors: the specification's schema under its old or its new name. */
    $schema: Type.Optional(Type.String()),
    document: DocumentHeader,
    do: TaskListReference,
    input: Type.Optional(Input),
    use: Type.Optional(Use),
    timeout: Type.Optional(TimeoutOrName),
    output: Type.Optional(Output),
    schedule: Type.Optional(Schedule),
    evaluate: Type.Optional(Evaluate),
    metadata: Type.Optional(Metadata),
  },
  { $id: "WorkflowDocument", additionalProperties: true },
);
export type WorkflowDocument = Static<typeof Document>;
