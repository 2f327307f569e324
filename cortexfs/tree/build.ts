import type { Engine } from "../exchange/engine.ts";
import { errno } from "../fuse/errno.ts";
import { FixedDirectory, LiveDirectory, type Names } from "./directory.ts";
import { type Content, ControlFile, type Value, ValueFile, ViewFile } from "./file.ts";
import { Quota } from "./memory.ts";
import type { Caller, Node, NodeOptions } from "./node.ts";

/** Who owns a part of the tree: the mounting user for what all share, a home's user within it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What the files of the tree are made from. */
export interface Place {
  readonly engine: Engine;
  readonly owner: Owner;
  /** When the mount began, milliseconds UTC: the time of everything that does not change. */
  readonly started: number;
  /** Of all ordinary files, for statfs. */
  readonly quotas: Quota[];
}

const options = ({ owner, started }: Place, mode: number): NodeOptions => ({ ...owner, mode, time: started });

/** A file with a text, given or computed; a newline is added. */
export function text(place: Place, content: string | (() => string), time?: () => number): ViewFile {
  const make = typeof content === "string" ? () => `${content}\n` : () => line(content());
  const file = new ViewFile(
    time === undefined ? { content: make } : { content: make, time },
    options(place, 0o444),
  );
  if (typeof content === "string") file.fixed = true;
  return file;
}

/** A file whose content is given whole, newline and all. */
export function view(place: Place, content: Content, mode = 0o444): ViewFile {
  return new ViewFile(content, options(place, mode));
}

export function fixed(place: Place, children: Record<string, Node>, mode = 0o555): FixedDirectory {
  return new FixedDirectory(children, options(place, mode));
}

function live(place: Place, names: Names, mode = 0o555): LiveDirectory {
  return new LiveDirectory(names, options(place, mode));
}

export function control(
  place: Place,
  act: (text: string, caller: Caller) => void,
  mode = 0o200,
): ControlFile {
  return new ControlFile(act, options(place, mode));
}

/** Room for ordinary files, counted in what the filesystem as a whole shows. */
export function quota(place: Place, total: number, fileLimit?: number): Quota {
  const made = new Quota(total, fileLimit);
  place.quotas.push(made);
  return made;
}

export interface SettingOptions {
  /** Shown while nothing was set. */
  readonly initial?: string | (() => string);
  /** Whether a text may be set; without it any text may. */
  readonly valid?: (text: string) => boolean;
  readonly mode?: number;
  /** Called when a value was taken. */
  readonly after?: (text: string, caller: Caller) => void;
}

/** A value that is kept in the settings under the path that it has in the tree. */
export function setting(
  place: Place,
  path: string,
  { initial = "", valid, mode, after }: SettingOptions = {},
): ValueFile {
  const { engine } = place;
  const check = (value: string): void => {
    if (valid !== undefined && !valid(value.trim())) throw errno("EINVAL");
  };
  const value: Value = {
    get: () => line(engine.settings.get(path) ?? (typeof initial === "string" ? initial : initial())),
    time: () => engine.settings.time(path) ?? place.started,
    check,
    set: (taken, caller) => {
      check(taken);
      engine.audit.add({
        event: "configured",
        uid: caller.uid,
        gid: caller.gid,
        pid: caller.pid,
        name: path,
      });
      const stored = engine.settings.set(path, taken.trim());
      after?.(taken.trim(), caller);
      return stored;
    },
  };
  return new ValueFile(value, options(place, mode ?? 0o644));
}

/** A directory of named things with `count` and `list` beside them. Things named like these two are hidden by them. */
export function collection(
  place: Place,
  names: Names,
  extra: Record<string, Node> = {},
  mode = 0o555,
): LiveDirectory {
  const fixedNames: Record<string, Node> = {
    count: countFile(place, names),
    list: listFile(place, names),
    ...extra,
  };
  return live(
    place,
    {
      ...names,
      names: (caller) => [...Object.keys(fixedNames), ...names.names(caller)],
      type: (name) => fixedNames[name]?.type ?? names.type?.(name) ?? "directory",
      has: (name, caller) =>
        Object.hasOwn(fixedNames, name) ||
        (names.has === undefined ? names.names(caller).includes(name) : names.has(name, caller)),
      make: (name, caller) => fixedNames[name] ?? names.make(name, caller),
      ...(names.mkdir === undefined
        ? {}
        : {
            mkdir: (name: string, caller: Caller) => {
              if (Object.hasOwn(fixedNames, name)) throw errno("EEXIST");
              return names.mkdir!(name, caller);
            },
          }),
      ...(names.rmdir === undefined
        ? {}
        : {
            rmdir: (name: string, caller: Caller) => {
              if (Object.hasOwn(fixedNames, name)) throw errno("EROFS");
              return names.rmdir!(name, caller);
            },
          }),
    },
    mode,
  );
}

/** Counts and lists show what their reader may see; the owner of the file stands for it where no caller is known. */
function countFile(place: Place, names: Names): ViewFile {
  return text(place, () => String(names.names({ ...place.owner, pid: 0 }).length));
}

function listFile(place: Place, names: Names): ViewFile {
  return view(place, { content: () => lines(names.names({ ...place.owner, pid: 0 })) });
}

export const line = (content: string): string =>
  content === "" || content.endsWith("\n") ? content : `${content}\n`;

export const lines = (values: readonly string[]): string => values.map((value) => `${value}\n`).join("");

export const isFlag = (value: string): boolean => value === "0" || value === "1";
export const isNumber = (value: string): boolean => /^-?\d{1,9}$/.test(value);
