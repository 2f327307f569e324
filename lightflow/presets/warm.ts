import type { Preset } from "../preload/lightflow.ts";

export const PRESET = {
  workflow: "workflow.image_sheet",
  description: "Six seeds whose colours go together.",
  inputs: { seeds: [3, 7, 11, 19, 23, 42], size: 64 },
} as const satisfies Preset;
