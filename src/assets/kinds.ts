export const ASSET_KINDS = ["model", "node", "composition", "workflow"] as const;
export type AssetKind = (typeof ASSET_KINDS)[number];

export const STABILITIES = ["draft", "experimental", "stable"] as const;
export type Stability = (typeof STABILITIES)[number];

/** The folder of a kind below `lightflow/` and its name in lists: `models`, `nodes`, … */
export type AssetFolder = `${AssetKind}s`;

export function folderOf(kind: AssetKind): AssetFolder {
  return `${kind}s`;
}

/** What `META` says of an asset. Seed section "Self-contained asset files". */
export interface AssetMeta {
  readonly id: string;
  readonly title: string;
  readonly kind: AssetKind;
  readonly description: string;
  readonly stability: Stability;
}

/** One line of an asset list. */
export interface AssetRecord {
  readonly meta: AssetMeta;
  /** Absolute path of the file, or `builtin:<folder>/<file>` for what the executable carries. */
  readonly source_path: string;
  readonly builtin: boolean;
  /** Lower-case hex SHA-256 of the file's bytes. */
  readonly source_sha256: string;
}
