import { Database, type SQLQueryBindings, type Statement } from "bun:sqlite";
import { dirname } from "node:path";
import type { AgentOutcome } from "../../agents/outcome.ts";
import { type Failure, fail, toFailure } from "../../base/errors.ts";
import { makePrivateDirectory } from "../../base/files.ts";
import type { JsonObject } from "../../base/json.ts";
import { isBusy } from "../sqlite/open.ts";

export type AgentTaskState = "working" | "completed" | "failed" | "canceled";

/** What a task was asked, and what had been said in its session by then: kept until it ends. */
export interface AgentTaskWork {
  readonly message: JsonObject;
  readonly history: readonly JsonObject[];
}

export interface StoredAgentTask {
  readonly id: string;
  readonly messageDigest: string;
  /** Digest of the agent that began it. */
  readonly agent: string;
  readonly contextId: string;
  readonly state: AgentTaskState;
  /** Null once it has ended. */
  readonly work: AgentTaskWork | null;
  readonly said: string;
  readonly outcome: AgentOutcome | null;
  /** Milliseconds UTC. */
  readonly changedAt: number;
}

/** A tool's call as it was written down before it was made; without a result nobody knows what became of it. */
export interface StoredToolCall {
  readonly digest: string;
  readonly result: string | null;
}

const DAY = 86_400_000;
/** Ended tasks are kept so long, so many and of so many bytes: a repeat of their message is answered that long. */
const KEPT = { tasks: 1000, ms: 7 * DAY, bytes: 64 * 1024 * 1024 };
const SESSIONS = { count: 1000, ms: 30 * DAY };

/** "LFAS" as a big-endian integer. */
const APPLICATION_ID = 0x4c464153;
const VERSION = 1;
const SCHEMA = `
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  message_id TEXT NOT NULL UNIQUE,
  message_digest TEXT NOT NULL,
  agent TEXT NOT NULL,
  context_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('working', 'completed', 'failed', 'canceled')),
  work TEXT,
  said TEXT NOT NULL DEFAULT '',
  outcome TEXT,
  changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX task_state ON task (state, seq);
CREATE TABLE tool_call (
  task TEXT NOT NULL,
  number INTEGER NOT NULL,
  digest TEXT NOT NULL,
  result TEXT,
  PRIMARY KEY (task, number)
) STRICT;
CREATE TABLE session (id TEXT PRIMARY KEY, messages TEXT NOT NULL, used_at INTEGER NOT NULL) STRICT;
`;

interface Row {
  id: string;
  message_digest: string;
  agent: string;
  context_id: string;
  state: AgentTaskState;
  work: string | null;
  said: string;
  outcome: string | null;
  changed_at: number;
}

const storedOf = (row: Row): StoredAgentTask => ({
  id: row.id,
  messageDigest: row.message_digest,
  agent: row.agent,
  contextId: row.context_id,
  state: row.state,
  work: row.work === null ? null : (JSON.parse(row.work) as AgentTaskWork),
  said: row.said,
  outcome: row.outcome === null ? null : (JSON.parse(row.outcome) as AgentOutcome),
  changedAt: row.changed_at,
});

/**
 * Tasks and sessions of one agent that is served on its own, in a file beside the run store. Every write is on disk when it
 * returns. One process has the file.
 */
export class TaskBook {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();

  /** @throws Failure `conflict` when another process has the file, `store_corrupt` when it is damaged, or is another's */
  constructor(path: string) {
    makePrivateDirectory(dirname(path));
    const previousMask = process.umask(0o077);
    try {
      this.#database = open(path);
    } catch (error) {
      throw refusal(path, error);
    } finally {
      process.umask(previousMask);
    }
    this.#prune(Date.now());
  }

  find(id: string): StoredAgentTask | null {
    const row = this.#get<Row>("SELECT * FROM task WHERE id = ?", id);
    return row === null ? null : storedOf(row);
  }

  /** The task that a message began. */
  begunBy(messageId: string): StoredAgentTask | null {
    const row = this.#get<Row>("SELECT * FROM task WHERE message_id = ?", messageId);
    return row === null ? null : storedOf(row);
  }

  /** What was being worked on when the process ended, oldest first. */
  unfinished(): StoredAgentTask[] {
    const rows = this.#prepared("SELECT * FROM task WHERE state = 'working' ORDER BY seq").all() as Row[];
    return rows.map(storedOf);
  }

  begin(task: {
    readonly id: string;
    readonly messageId: string;
    readonly messageDigest: string;
    readonly agent: string;
    readonly contextId: string;
    readonly work: AgentTaskWork;
    readonly now: number;
  }): void {
    this.#run(
      "INSERT INTO task (id, message_id, message_digest, agent, context_id, state, work, changed_at) VALUES (?, ?, ?, ?, ?, 'working', ?, ?)",
      task.id,
      task.messageId,
      task.messageDigest,
      task.agent,
      task.contextId,
      JSON.stringify(task.work),
      task.now,
    );
  }

  /** How a task ended, and what its session remembers from now on. The first end counts. @returns whether this was it */
  end(
    id: string,
    end: {
      readonly state: Exclude<AgentTaskState, "working">;
      readonly said: string;
      readonly outcome: AgentOutcome | null;
      readonly now: number;
    },
    session: { readonly id: string; readonly messages: readonly JsonObject[] } | null,
  ): boolean {
    return this.#database
      .transaction(() => {
        const { changes } = this.#run(
          "UPDATE task SET state = ?, said = ?, outcome = ?, work = NULL, changed_at = ? WHERE id = ? AND state = 'working'",
          end.state,
          end.said,
          end.outcome === null ? null : JSON.stringify(end.outcome),
          end.now,
          id,
        );
        if (changes === 0) return false;
        this.#run("DELETE FROM tool_call WHERE task = ?", id);
        if (session !== null) {
          this.#run(
            "INSERT INTO session VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET messages = excluded.messages, used_at = excluded.used_at",
            session.id,
            JSON.stringify(session.messages),
            end.now,
          );
        }
        this.#prune(end.now);
        return true;
      })
      .immediate();
  }

  /** What was said in a session so far. */
  session(id: string): JsonObject[] {
    const row = this.#get<{ messages: string }>("SELECT messages FROM session WHERE id = ?", id);
    return row === null ? [] : (JSON.parse(row.messages) as JsonObject[]);
  }

  toolCall(task: string, number: number): StoredToolCall | null {
    return this.#get<StoredToolCall>(
      "SELECT digest, result FROM tool_call WHERE task = ? AND number = ?",
      task,
      number,
    );
  }

  /** Before a tool is called: from here on it may have been. */
  callsTool(task: string, number: number, digest: string): void {
    this.#run("INSERT OR REPLACE INTO tool_call VALUES (?, ?, ?, NULL)", task, number, digest);
  }

  toolAnswered(task: string, number: number, result: string): void {
    this.#run("UPDATE tool_call SET result = ? WHERE task = ? AND number = ?", result, task, number);
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#database.close();
  }

  #prune(now: number): void {
    this.#run("DELETE FROM task WHERE state <> 'working' AND changed_at < ?", now - KEPT.ms);
    this.#run(
      `DELETE FROM task WHERE state <> 'working' AND seq <= coalesce((
         SELECT seq FROM (
           SELECT seq, row_number() OVER newest AS kept, sum(length(coalesce(outcome, ''))) OVER newest AS bytes
           FROM task WHERE state <> 'working' WINDOW newest AS (ORDER BY seq DESC)
         ) WHERE kept > ? OR bytes > ? ORDER BY seq DESC LIMIT 1), -1)`,
      KEPT.tasks,
      KEPT.bytes,
    );
    this.#run("DELETE FROM session WHERE used_at < ?", now - SESSIONS.ms);
    this.#run(
      "DELETE FROM session WHERE id IN (SELECT id FROM session ORDER BY used_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
      SESSIONS.count,
    );
  }

  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #get<T>(sql: string, ...values: SQLQueryBindings[]): T | null {
    return this.#prepared(sql).get(...values) as T | null;
  }

  #run(sql: string, ...values: SQLQueryBindings[]): { changes: number } {
    return this.#prepared(sql).run(...values);
  }
}

function open(path: string): Database {
  const database = new Database(path, { create: true, strict: true });
  try {
    // One that is just ending may hold it for a moment; whoever has it keeps it until it ends.
    database.run("PRAGMA busy_timeout = 500");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    database
      .transaction(() => {
        const number = (pragma: string) =>
          Object.values(database.query(`PRAGMA ${pragma}`).get() as Record<string, number>)[0]!;
        const version = number("user_version");
        if (version > VERSION)
          throw fail("store_newer", `${path} has schema ${version}, this build knows ${VERSION}`);
        if (version > 0 || number("application_id") !== 0) {
          if (number("application_id") !== APPLICATION_ID)
            throw fail("store_corrupt", `${path} is not a file of an agent's service`);
          return;
        }
        database.run(SCHEMA);
        database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
        database.run(`PRAGMA user_version = ${VERSION}`);
      })
      .immediate();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function refusal(path: string, error: unknown): Failure {
  if (isBusy(error)) {
    return fail("conflict", `another process serves from ${path}`, {
      hint: "stop it, or give this one its own directory with --data",
      cause: error,
    });
  }
  const failure = toFailure(error);
  if (failure.code !== "internal") return failure;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^SQLITE_(CORRUPT|NOTADB)/.test(code)
    ? fail("store_corrupt", `${path} is damaged: ${failure.message}`, {
        hint: "move it aside: its tasks and sessions are lost, the agent is not",
        cause: error,
      })
    : fail("io", `cannot open ${path}: ${failure.message}`, { cause: error });
}
