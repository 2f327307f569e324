import type { Methods } from "./methods.ts";
import { Words } from "./options.ts";
import { portMethod } from "./ports.ts";
import type { ComponentDef } from "./types.ts";

/** The methods of `node(id)`, `composition(id)` and `model(id)`: data about the asset, no behaviour. */
export const COMPONENT_METHODS: Methods<ComponentDef> = {
  description: {
    usage: "(text)",
    required: [Words],
    optional: [],
    apply(definition, [text]) {
      definition.description = text as string;
    },
  },
  input: portMethod((definition) => {
    definition.inputs ??= {};
    return definition.inputs;
  }),
  output: portMethod((definition) => {
    definition.outputs ??= {};
    return definition.outputs;
  }),
  capability: {
    usage: "(name)",
    required: [Words],
    optional: [],
    apply(definition, [name]) {
      definition.capabilities ??= [];
      definition.capabilities.push(name as string);
    },
  },
};
