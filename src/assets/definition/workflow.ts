import type { JsonObject } from "../../base/json.ts";
import type { Methods } from "./methods.ts";
import {
  Anything,
  Concurrency,
  Priority,
  Profile,
  ResourceName,
  ResourceOptions,
  ScheduleOptions,
  SchemaOrPath,
} from "./options.ts";
import { portMethod } from "./ports.ts";
import { STEP_METHODS } from "./steps.ts";
import type { Resource, WorkflowDef } from "./types.ts";

/** The methods of `workflow(id)`. */
export const WORKFLOW_METHODS: Methods<WorkflowDef> = {
  inputSchema: {
    usage: "(schema or path)",
    required: [SchemaOrPath],
    optional: [],
    apply(definition, [schema]) {
      definition.input_schema = schema as string | JsonObject;
    },
  },
  outputSchema: {
    usage: "(schema or path)",
    required: [SchemaOrPath],
    optional: [],
    apply(definition, [schema]) {
      definition.output_schema = schema as string | JsonObject;
    },
  },
  ...STEP_METHODS,
  input: portMethod((definition) => {
    definition.inputs ??= {};
    return definition.inputs;
  }),
  output: {
    usage: "(value with expressions)",
    required: [Anything],
    optional: [],
    apply(definition, [value], refuse) {
      if (
        typeof value !== "string" &&
        (typeof value !== "object" || value === null || Array.isArray(value))
      ) {
        refuse(
          0,
          [],
          "value_invalid",
          "the output is neither an object nor an expression",
          "write { name: … }",
        );
      }
      definition.output = value!;
    },
  },
  resource: {
    usage: "(name, { capacity, pool? })",
    required: [ResourceName, ResourceOptions],
    optional: [],
    apply(definition, [name, options]) {
      definition.resources ??= {};
      definition.resources[name as string] = options as unknown as Resource;
    },
  },
  profile: {
    usage: "(name)",
    required: [Profile],
    optional: [],
    apply(definition, [profile]) {
      definition.profile = profile as string;
    },
  },
  priority: {
    usage: "(number)",
    required: [Priority],
    optional: [],
    apply(definition, [priority]) {
      definition.priority = priority as number;
    },
  },
  concurrency: {
    usage: "(number)",
    required: [Concurrency],
    optional: [],
    apply(definition, [most]) {
      definition.concurrency = most as number;
    },
  },
  schedule: {
    usage: "({ every } or { cron } or { after } or { on })",
    required: [ScheduleOptions],
    optional: [],
    apply(definition, [schedule]) {
      definition.schedule = schedule as JsonObject;
    },
  },
};
