type Assets = typeof import("../../assets/index.ts");

let loaded: Promise<Assets> | null = null;

/** The parser and all that knows assets, loaded when it is first asked for; asking again costs no look-up of the module. */
export function loadAssets(): Promise<Assets> {
  loaded ??= import("../../assets/index.ts");
  return loaded;
}
