import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import type { AuditRow } from "../../store/index.ts";
import { AnyObject, closed, Integer, named, Text, Time } from "../shapes.ts";
import { Tenant } from "../tokens/view.ts";

export const AuditEntryShape = named(
  "AuditEntry",
  closed({
    seq: Integer,
    ts: Time,
    actor: Text,
    action: Text,
    object: Text,
    body: AnyObject,
    previous_hash: Text,
    hash: Text,
  }),
);

export const entryView = (row: AuditRow) => ({ ...row, ts: isoTime(row.ts) });

/** Whose chain; another tenant's only for a caller on this host. `_` is that of messages nobody could be found behind. */
export const ChainOf = Type.Optional(Type.Union([Tenant, Type.Literal("_")]));
export const Word = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));
