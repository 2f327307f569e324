import { type Static, Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { nearestOf } from "../nearest.ts";
import { type ConstantFile, readConstants } from "./constant.ts";

/** `lightflow/presets/<name>.ts`: `export const PRESET = { workflow, inputs }`. */
export const Preset = Type.Object(
  {
    /** The workflow it is for. */
    workflow: Type.String({ minLength: 1, maxLength: 128 }),
    description: Type.Optional(Type.String()),
    /** Inputs of the workflow by name; a run's own inputs stand above them. */
    inputs: Type.Record(Type.String(), Type.Any()),
  },
  { additionalProperties: false },
);
export type Preset = Static<typeof Preset>;

/** Every preset of a project. */
export const readPresets = (root: string): ConstantFile<Preset>[] =>
  readConstants<Preset>(root, "presets", "PRESET", Preset);

/**
 * The preset of this name for a workflow.
 * @throws Failure `asset_not_found`, `asset_invalid`, `invalid_request` for a preset of another workflow
 */
export function findPreset(root: string, name: string, workflow: string): Preset {
  const files = readPresets(root);
  const found = files.find((file) => file.name === name);
  if (found === undefined) {
    const names = files.map((file) => file.name);
    const near = nearestOf(name, names);
    throw fail("asset_not_found", `there is no preset ${name}`, {
      hint:
        near.length > 0
          ? `did you mean ${near.join(" or ")}?`
          : `presets here: ${names.length === 0 ? "none" : names.join(", ")}`,
    });
  }
  if (found.value === undefined) {
    const first = found.diagnostics[0]!;
    throw fail("asset_invalid", `${first.path}:${first.line}:${first.column}: ${first.message}`, {
      hint: first.hint,
      details: { diagnostics: found.diagnostics },
    });
  }
  if (found.value.workflow !== workflow) {
    throw fail("invalid_request", `the preset ${name} is for ${found.value.workflow}, not for ${workflow}`);
  }
  return found.value;
}
