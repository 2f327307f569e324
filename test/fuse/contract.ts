import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { verifyChain } from "../../cortexfs/exchange/audit.ts";
import { startProviderServer } from "./provider-server.ts";
import { type Kind, read, readIf, Served, shell, until } from "./support.ts";

const SECRET = "sk-test-0123456789-planted-secret";
const FORMATS = {
  "openai.chat": (text: string, stream = false) => ({
    messages: [{ role: "user", content: text }],
    ...(stream ? { stream } : {}),
  }),
  "openai.responses": (text: string, stream = false) => ({ input: text, ...(stream ? { stream } : {}) }),
  "anthropic.messages": (text: string, stream = false) => ({
    max_tokens: 100,
    messages: [{ role: "user", content: text }],
    ...(stream ? { stream } : {}),
  }),
  "google.generate_content": (text: string, stream = false) => ({
    contents: [{ role: "user", parts: [{ text }] }],
    ...(stream ? { stream } : {}),
  }),
};
type Format = keyof typeof FORMATS;

/** Stage, write, fsync, close, rename: the way of a client that wants to be sure. */
export function commit(inbox: string, id: string, body: string): void {
  mkdirSync(inbox, { recursive: true });
  const staged = join(inbox, `${id}.tmp`);
  const fd = openSync(staged, "w");
  writeSync(fd, body);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(staged, join(inbox, `${id}.req.json`));
}

/** The outcome of a request: the response's text, or the error's, with its kind. */
export function outcome(outbox: string, id: string): Promise<{ ok: boolean; text: string }> {
  return until(() => {
    const response = readIf(join(outbox, `${id}.resp.json`));
    if (response !== undefined) return { ok: true, text: response };
    const error = readIf(join(outbox, `${id}.error`));
    return error === undefined ? undefined : { ok: false, text: error };
  });
}

const answerText = (format: Format, text: string): string => {
  const body = JSON.parse(text);
  switch (format) {
    case "openai.chat":
      return body.choices[0].message.content;
    case "openai.responses":
      return body.output[0].content[0].text;
    case "anthropic.messages":
      return body.content[0].text;
    case "google.generate_content":
      return body.candidates[0].content.parts[0].text;
  }
};

/** The contract of the tree, for whatever shows it. */
export function contract(kind: Kind): void {
  describe(`the tree as a ${kind}`, () => {
    let served: Served;
    let server: ReturnType<typeof startProviderServer>;
    let api: (format: string) => string;

    const configure = async (id: string, files: Record<string, string>): Promise<void> => {
      const channel = join(served.root, "chan", id);
      mkdirSync(channel, { recursive: true });
      await until(() => existsSync(join(channel, "status")));
      for (const [name, value] of Object.entries(files)) {
        writeFileSync(join(channel, name), `${value}\n`);
        await until(() => read(join(channel, name)).trim() === value);
      }
      await until(() => files["enabled"] !== "1" || read(join(channel, "status")) === "ready\n");
    };
    const dropChannels = async (): Promise<void> => {
      const root = join(served.root, "chan");
      const names = readdirSync(root).filter((name) => name !== "count" && name !== "list");
      for (const name of names) {
        if (kind === "mount") shell(root, `rmdir ${name}`);
        else rmSync(join(root, name), { recursive: true });
      }
      await until(() => read(join(root, "count")) === "0\n");
    };
    const behave = (behaviour: typeof server.state.behaviour): void => {
      server.state.behaviour = behaviour;
      server.seen.length = 0;
    };

    beforeAll(async () => {
      server = startProviderServer();
      served = await Served.start(kind, { env: { STUB_KEY: SECRET }, allowOther: true });
      api = (format) => join(served.home, "api", format);
    });
    afterAll(async () => {
      await served.stop();
      server.stop();
    });

    test("status, version and ABI are there, and every directory lists", () => {
      expect(read(join(served.root, "status"))).toBe("ready\n");
      expect(read(join(served.root, "control/abi"))).toBe("cortexfs.design.v0\n");
      const names = "agent audit cap chan control format home mcp model provider shared space status tool";
      expect(
        readdirSync(served.root)
          .filter((name) => !name.startsWith("."))
          .sort()
          .join(" "),
      ).toBe(names);
      expect(shell(served.root, "find . > /dev/null && ls -lR . > /dev/null").code).toBe(0);
      expect(read(join(served.home, "uid"))).toBe(`${process.getuid!()}\n`);
    });

    test("every readable file is as long as its size says", () => {
      const files = shell(
        served.root,
        "find . -type f -perm -0400 ! -name events.jsonl ! -path './.cortexfs/*'",
      )
        .out.trim()
        .split("\n");
      expect(files.length).toBeGreaterThan(50);
      for (const file of files)
        expect([file, read(join(served.root, file)).length]).toEqual([
          file,
          statSync(join(served.root, file)).size,
        ]);
    });

    test("a listing keeps its order", () => {
      const first = readdirSync(join(served.home, "api")).join();
      for (let i = 0; i < 20; i++) expect(readdirSync(join(served.home, "api")).join()).toBe(first);
    });

    test("a staged file starts nothing, the rename does, and the demo answers offline", async () => {
      const inbox = join(api("openai.chat"), "inbox");
      const outbox = join(api("openai.chat"), "outbox");
      writeFileSync(join(inbox, "s1.tmp"), JSON.stringify(FORMATS["openai.chat"]("hello")));
      await Bun.sleep(100);
      expect(readdirSync(outbox)).toEqual([]);
      renameSync(join(inbox, "s1.tmp"), join(inbox, "s1.req.json"));
      const { ok, text } = await outcome(outbox, "s1");
      expect([ok, answerText("openai.chat", text)]).toEqual([true, "You said: hello"]);
      expect(read(join(outbox, "s1.fingerprint"))).toMatch(/^fnv1a64:[0-9a-f]{16}\n$/);
      const route = await until(() => {
        const value = JSON.parse(read(join(outbox, "s1.route.json")));
        return value.attempts === undefined ? undefined : value;
      });
      expect(route).toMatchObject({
        request_id: "s1",
        format: "openai.chat",
        provider: "demo",
        model: "demo",
        reason: "ready",
      });
    });

    for (const format of Object.keys(FORMATS) as Format[]) {
      for (const stream of [false, true]) {
        test(`${format}${stream ? " as a stream" : ""} reaches a provider that speaks it`, async () => {
          behave({});
          await configure("native", {
            url: server.url,
            keyref: "env:STUB_KEY",
            fmt: format,
            mod: "stub-model",
            enabled: "1",
          });
          const id = `n-${stream ? "s" : "w"}`;
          commit(join(api(format), "inbox"), id, JSON.stringify(FORMATS[format]("native words", stream)));
          const { ok, text } = await outcome(join(api(format), "outbox"), id);
          expect([ok, ok ? answerText(format, text) : text]).toEqual([true, "echo: native words"]);
          const [request] = server.seen;
          const key =
            request!.headers["authorization"] ??
            request!.headers["x-api-key"] ??
            request!.headers["x-goog-api-key"];
          expect(key).toContain(SECRET);
          if (!stream && format === "openai.chat")
            expect(JSON.parse(text).system_fingerprint).toBe("only-here");
          if (stream) {
            const rows = read(join(api(format), "outbox", `${id}.stream.jsonl`))
              .trim()
              .split("\n")
              .map((row) => JSON.parse(row));
            const streamed = rows
              .filter((row) => row.type === "text")
              .map((row) => row.text)
              .join("");
            expect(streamed).toBe("echo: native words");
            expect(rows.at(-1)).toEqual({ type: "end" });
          }
          await dropChannels();
        });
      }
    }

    for (const [asked, spoken] of [
      ["openai.chat", "anthropic.messages"],
      ["anthropic.messages", "google.generate_content"],
      ["google.generate_content", "openai.responses"],
      ["openai.responses", "openai.chat"],
    ] as const) {
      test(`${asked} is converted for a provider that speaks ${spoken} alone`, async () => {
        behave({});
        await configure("other", { url: server.url, fmt: spoken, mod: "stub-model", enabled: "1" });
        commit(join(api(asked), "inbox"), "conv", JSON.stringify(FORMATS[asked]("over there")));
        const { ok, text } = await outcome(join(api(asked), "outbox"), "conv");
        expect([ok, ok ? answerText(asked, text) : text]).toEqual([true, "echo: over there"]);
        expect(JSON.parse(read(join(api(asked), "outbox/conv.route.json"))).provider_format).toBe(spoken);
        await dropChannels();
      });
    }

    test("a provider that fails gives way to the next, and the route says so", async () => {
      behave({ failures: [{ status: 503 }] });
      await configure("first", { url: server.url, mod: "stub-model", prio: "9", enabled: "1" });
      await configure("second", { url: server.url, mod: "stub-model", prio: "1", enabled: "1" });
      commit(join(api("openai.chat"), "inbox"), "fall", JSON.stringify(FORMATS["openai.chat"]("x")));
      const { ok } = await outcome(join(api("openai.chat"), "outbox"), "fall");
      expect(ok).toBe(true);
      const route = JSON.parse(read(join(api("openai.chat"), "outbox/fall.route.json")));
      expect([route.provider, route.reason]).toEqual(["second", "fallback"]);
      expect(route.attempts.map((attempt: { reason: string }) => attempt.reason)).toEqual([
        "unavailable",
        "ready",
      ]);
      await dropChannels();
    });

    test("429 with Retry-After is waited for and repeated", async () => {
      behave({ failures: [{ status: 429, retryAfter: "0.05" }] });
      await configure("only", { url: server.url, mod: "stub-model", enabled: "1" });
      commit(join(api("openai.chat"), "inbox"), "limited", JSON.stringify(FORMATS["openai.chat"]("again")));
      expect((await outcome(join(api("openai.chat"), "outbox"), "limited")).ok).toBe(true);
      expect(server.seen.length).toBe(2);
      await dropChannels();
    });

    test("a stream that is cut is an error, and what came stays readable", async () => {
      behave({ cutAfter: 3 });
      await configure("only", { url: server.url, mod: "stub-model", enabled: "1" });
      commit(
        join(api("openai.chat"), "inbox"),
        "cut",
        JSON.stringify(FORMATS["openai.chat"]("a longer answer", true)),
      );
      const { ok, text } = await outcome(join(api("openai.chat"), "outbox"), "cut");
      expect([ok, JSON.parse(text).code]).toEqual([false, "unavailable"]);
      expect(read(join(api("openai.chat"), "outbox/cut.stream.jsonl"))).toContain('"type":"text"');
      behave({});
      commit(
        join(api("openai.chat"), "inbox"),
        "cut",
        JSON.stringify(FORMATS["openai.chat"]("a longer answer", true)),
      );
      await until(() => existsSync(join(api("openai.chat"), "outbox/cut.resp.json")));
      expect(existsSync(join(api("openai.chat"), "outbox/cut.error"))).toBe(false);
      await dropChannels();
    });

    test("the same body again returns the stored answer, another body is a new attempt", async () => {
      behave({});
      await configure("only", { url: server.url, mod: "stub-model", enabled: "1" });
      const inbox = join(api("openai.chat"), "inbox");
      const outbox = join(api("openai.chat"), "outbox");
      const body = JSON.stringify(FORMATS["openai.chat"]("one"));
      commit(inbox, "same", body);
      await outcome(outbox, "same");
      commit(inbox, "same", body);
      await until(() => read(join(served.home, "audit/events.jsonl")).includes('"event":"duplicate"'));
      expect(server.seen.length).toBe(1);
      const before = read(join(outbox, "same.fingerprint"));
      commit(inbox, "same", JSON.stringify(FORMATS["openai.chat"]("two")));
      await until(() => readIf(join(outbox, "same.resp.json"))?.includes("echo: two"));
      expect(server.seen.length).toBe(2);
      expect(read(join(outbox, "same.fingerprint"))).not.toBe(before);
      await dropChannels();
    });

    test("removing the request cancels it", async () => {
      behave({ hold: Bun.sleep(3000) });
      await configure("only", { url: server.url, mod: "stub-model", enabled: "1" });
      const inbox = join(api("openai.chat"), "inbox");
      commit(inbox, "gone", JSON.stringify(FORMATS["openai.chat"]("slow")));
      await until(() => server.seen.length === 1);
      await until(() => existsSync(join(api("openai.chat"), "outbox/gone.fingerprint")));
      rmSync(join(inbox, "gone.req.json"));
      const { ok, text } = await outcome(join(api("openai.chat"), "outbox"), "gone");
      expect([ok, JSON.parse(text).code]).toEqual([false, "execution_cancelled"]);
      expect(existsSync(join(inbox, "gone.req.json"))).toBe(false);
      behave({});
      await dropChannels();
    });

    test("a provider that does not answer in its time is an error", async () => {
      behave({ hold: Bun.sleep(3000) });
      await configure("late", { url: server.url, mod: "stub-model", timeout_ms: "100", enabled: "1" });
      commit(join(api("openai.chat"), "inbox"), "late", JSON.stringify(FORMATS["openai.chat"]("slow")));
      const { ok, text } = await outcome(join(api("openai.chat"), "outbox"), "late");
      expect([ok, JSON.parse(text).code]).toEqual([false, "execution_timeout"]);
      behave({});
      await dropChannels();
    });

    test("a thread's cancel control stops what it runs", async () => {
      behave({ hold: Bun.sleep(3000) });
      await configure("slow", { url: server.url, mod: "stub-model", enabled: "1" });
      const inbox = join(served.home, "thread/stopped/inbox");
      commit(inbox, "k1", JSON.stringify({ content: "wait" }));
      await until(() => server.seen.length === 1);
      writeFileSync(join(inbox, "../control/cancel"), "1");
      const { ok, text } = await outcome(inbox, "k1");
      expect([ok, JSON.parse(text).code]).toEqual([false, "execution_cancelled"]);
      await until(() => read(join(inbox, "../state")) === "cancelled\n");
      behave({});
      await dropChannels();
    });

    test("no byte of a secret is readable, though the provider says it", async () => {
      behave({ text: `your key is ${SECRET}, right?` });
      await configure("leaky", { url: server.url, keyref: "env:STUB_KEY", mod: "stub-model", enabled: "1" });
      for (const [id, stream] of [
        ["leak-w", false],
        ["leak-s", true],
      ] as const) {
        commit(join(api("openai.chat"), "inbox"), id, JSON.stringify(FORMATS["openai.chat"]("tell", stream)));
        const { ok, text } = await outcome(join(api("openai.chat"), "outbox"), id);
        expect([ok, text.includes("your key is [redacted], right?")]).toEqual([true, true]);
      }
      behave({ failures: [{ status: 401, body: { error: { message: `Incorrect API key: ${SECRET}` } } }] });
      commit(join(api("openai.chat"), "inbox"), "leak-e", JSON.stringify(FORMATS["openai.chat"]("tell")));
      expect((await outcome(join(api("openai.chat"), "outbox"), "leak-e")).text).toContain("[redacted]");
      expect(shell(served.root, `grep -rs '${SECRET.slice(0, 20)}' .`).out).toBe("");
      await dropChannels();
    });

    test("a thread keeps its messages and answers in its own directory", async () => {
      const inbox = join(served.home, "thread/talk/inbox");
      commit(inbox, "t1", JSON.stringify({ content: "first" }));
      expect(JSON.parse((await outcome(inbox, "t1")).text).choices[0].message.content).toBe(
        "You said: first",
      );
      commit(inbox, "t2", JSON.stringify({ role: "user", content: "second" }));
      await outcome(inbox, "t2");
      const rows = await until(() => {
        const text = read(join(inbox, "../messages.jsonl")).trim().split("\n");
        return text.length === 4 ? text.map((row) => JSON.parse(row)) : undefined;
      });
      expect(rows.map((row) => [row.role, row.content])).toEqual([
        ["user", "first"],
        ["assistant", "You said: first"],
        ["user", "second"],
        ["assistant", "You said: second"],
      ]);
      await until(() => read(join(inbox, "../latest.md")).includes("You said: second"));
      expect(read(join(inbox, "../state"))).toBe("idle\n");
    });

    test("a tool answers inside its directory, and a denied one says so", async () => {
      const files = join(served.base, "files");
      mkdirSync(files, { recursive: true });
      writeFileSync(join(files, "note.txt"), "what it says", { mode: 0o644 });
      const tool = join(served.root, "tool/filesystem.read");
      writeFileSync(join(tool, "root"), `${files}\n`);
      await until(() => read(join(tool, "root")).trim() === files);
      commit(join(tool, "invoke/inbox"), "f1", JSON.stringify({ path: "note.txt" }));
      expect(JSON.parse((await outcome(join(tool, "invoke/outbox"), "f1")).text)).toEqual({
        path: "note.txt",
        content: "what it says",
      });
      for (const [id, path] of [
        ["f2", "../state/cortexfs.db"],
        ["f3", "/etc/hostname"],
      ] as const) {
        commit(join(tool, "invoke/inbox"), id, JSON.stringify({ path }));
        const { ok, text } = await outcome(join(tool, "invoke/outbox"), id);
        expect([ok, JSON.parse(text).code]).toEqual([false, "forbidden"]);
      }
      const shellTool = join(served.root, "tool/shell.exec/invoke");
      commit(join(shellTool, "inbox"), "x1", JSON.stringify({ argv: ["id"] }));
      const { ok, text } = await outcome(join(shellTool, "outbox"), "x1");
      expect(ok).toBe(false);
      expect(JSON.parse(text)).toMatchObject({
        request_id: "x1",
        tool: "shell.exec",
        status: "denied",
        permission: "execute",
      });
    });

    const set = async (path: string, value: string): Promise<void> => {
      writeFileSync(join(served.root, path), `${value}\n`);
      await until(() => read(join(served.root, path)).trim() === value);
    };

    test("tools of an MCP server are projected, denied until allowed, checked by their schema, and keep its key", async () => {
      const root = join(served.root, "mcp/server/adder");
      mkdirSync(root);
      await until(() => existsSync(join(root, "status")));
      await set("mcp/server/adder/command", process.execPath);
      await set("mcp/server/adder/args", join(import.meta.dir, "mcp-server.ts"));
      await set("mcp/server/adder/env", "KEY=env:STUB_KEY");
      await set("mcp/server/adder/enabled", "1");
      await until(() => read(join(root, "status")) === "ready\n");
      const tool = join(served.root, "mcp/tool/adder.add");
      await until(() => existsSync(join(tool, "permissions")));
      expect(JSON.parse(read(join(tool, "input_schema.json"))).required).toEqual(["a", "b"]);
      const [inbox, outbox] = [join(tool, "invoke/inbox"), join(tool, "invoke/outbox")];
      commit(inbox, "a1", JSON.stringify({ a: 2, b: 3 }));
      expect(JSON.parse((await outcome(outbox, "a1")).text)).toMatchObject({
        status: "denied",
        policy: "deny",
      });
      await set("mcp/tool/adder.add/permissions", "allow");
      commit(inbox, "a2", JSON.stringify({ a: 2, b: 3 }));
      expect(JSON.parse((await outcome(outbox, "a2")).text).content).toEqual([{ type: "text", text: "5" }]);
      await set("mcp/tool/adder.leak/permissions", `uid:${process.getuid!()}`);
      const leak = join(served.root, "mcp/tool/adder.leak/invoke");
      commit(join(leak, "inbox"), "l1", "{}");
      expect((await outcome(join(leak, "outbox"), "l1")).text).toContain("my key is [redacted]");
    });

    test("a thread's model calls the tools that it is offered, and policy decides on each call", async () => {
      const inbox = join(served.home, "thread/tools/inbox");
      commit(inbox, "c1", JSON.stringify({ content: 'call adder__add {"a":4,"b":5}', tools: ["adder.add"] }));
      expect(JSON.parse((await outcome(inbox, "c1")).text).choices[0].message.content).toContain(
        '"text":"9"',
      );
      // As a directory, the files of one outcome come one after the other.
      await until(() => read(join(inbox, "../messages.jsonl")) !== "");
      const rows = read(join(inbox, "../messages.jsonl"))
        .trim()
        .split("\n")
        .map((row) => JSON.parse(row).role);
      expect(rows).toEqual(["user", "assistant", "tool", "assistant"]);
      commit(
        inbox,
        "c2",
        JSON.stringify({ content: 'call shell__exec {"argv":["id"]}', tools: ["shell.exec"] }),
      );
      expect((await outcome(inbox, "c2")).text).toContain("policy does not allow shell.exec");
    });

    test("an agent works with its own instructions and tools", async () => {
      mkdirSync(join(served.root, "agent/helper"));
      await until(() => existsSync(join(served.root, "agent/helper/profile/system_prompt")));
      await set("agent/helper/profile/system_prompt", "You add.");
      await set("agent/helper/policy/allowed_tools", "adder.add");
      const agent = join(served.root, "agent/helper");
      commit(join(agent, "inbox"), "g1", JSON.stringify({ task: 'call adder__add {"a":1,"b":1}' }));
      const { ok, text } = await outcome(join(agent, "outbox"), "g1");
      expect([ok, JSON.parse(text)]).toMatchObject([
        true,
        { request_id: "g1", agent: "helper", status: "done" },
      ]);
      expect(JSON.parse(text).answer).toContain('"text":"2"');
    });

    test("a registry entry is a provider until it is removed, and a key in place of a reference is refused", async () => {
      const registry = join(served.root, "provider");
      const entry = {
        op: "upsert",
        id: "reg",
        formats: ["openai.chat"],
        base_url: server.url,
        default_model: "stub-model",
      };
      behave({});
      commit(join(registry, "inbox"), "r1", JSON.stringify(entry));
      expect((await outcome(join(registry, "outbox"), "r1")).ok).toBe(true);
      await until(() => existsSync(join(registry, "reg/health/status")));
      commit(
        join(api("openai.chat"), "inbox"),
        "by-reg",
        JSON.stringify(FORMATS["openai.chat"]("registered")),
      );
      expect((await outcome(join(api("openai.chat"), "outbox"), "by-reg")).text).toContain(
        "echo: registered",
      );
      expect(existsSync(join(served.root, "model/reg.stub-model"))).toBe(true);
      await set("provider/reg/enabled/current", "0");
      await until(() => read(join(registry, "reg/health/status")) === "provider_disabled\n");
      commit(join(registry, "inbox"), "r2", JSON.stringify({ op: "remove", id: "reg" }));
      await until(() => !existsSync(join(registry, "reg")));
      const bad = JSON.stringify({ ...entry, key_ref: SECRET });
      if (kind === "mount") expect(() => commit(join(registry, "inbox"), "r3", bad)).toThrow("EINVAL");
      else {
        commit(join(registry, "inbox"), "r3", bad);
        expect((await outcome(join(registry, "outbox"), "r3")).text).toContain("EINVAL");
      }
    });

    test("shell.exec runs as the caller once it is allowed, without the daemon's environment", async () => {
      await set("tool/shell.exec/permissions", "allow");
      const invoke = join(served.root, "tool/shell.exec/invoke");
      commit(
        join(invoke, "inbox"),
        "x2",
        JSON.stringify({ argv: ["sh", "-c", "id -u; echo ${STUB_KEY:-none}; exit 3"] }),
      );
      const { text } = await outcome(join(invoke, "outbox"), "x2");
      expect(JSON.parse(text)).toEqual({ exit_code: 3, stdout: `${process.getuid!()}\nnone\n`, stderr: "" });
      await set("tool/shell.exec/permissions", "deny");
    });

    test("a job runs once when its request is closed, and a hook runs its job", async () => {
      const job = join(served.home, "job/translate.zh");
      mkdirSync(job, { recursive: true });
      await until(() => existsSync(join(job, "status")));
      writeFileSync(
        join(job, "spec"),
        "kind=translate\nfrom=en\nto=zh\nout=json\nfields=text,from,to,input\n",
      );
      await until(() => read(join(job, "spec")).includes("kind=translate"));
      writeFileSync(join(job, "req"), "good morning\n");
      await until(() => read(join(job, "status")) === "done\n");
      expect(JSON.parse(read(join(job, "out.json")))).toEqual({
        text: "You said: good morning",
        from: "en",
        to: "zh",
        input: "good morning",
      });
      const hook = join(served.home, "hook/daily");
      mkdirSync(hook, { recursive: true });
      await until(() => existsSync(join(hook, "status")));
      writeFileSync(join(hook, "spec"), "kind=job\njob=translate.zh\nto=fr\n");
      await until(() => read(join(hook, "spec")).includes("job=translate.zh"));
      writeFileSync(join(hook, "req"), "again\n");
      await until(() => read(join(hook, "status")) === "done\n" && read(join(hook, "log.jsonl")) !== "");
      expect(JSON.parse(read(join(hook, "out.json")))).toMatchObject({ to: "fr", input: "again" });
      expect(read(join(hook, "log.jsonl")).trim().split("\n")).toHaveLength(1);
    });

    test("a batch answers every line, a bad one with an error of its own", async () => {
      const lines = [
        { custom_id: "a", body: FORMATS["openai.chat"]("one") },
        { custom_id: "b", format: "anthropic.messages", body: FORMATS["anthropic.messages"]("two") },
        { custom_id: "c", body: { model: "no-such-model", messages: [] } },
      ];
      commit(join(served.home, "batch/inbox"), "b1", lines.map((line) => JSON.stringify(line)).join("\n"));
      const { results } = JSON.parse((await outcome(join(served.home, "batch/outbox"), "b1")).text);
      expect(results[0].response.choices[0].message.content).toBe("You said: one");
      expect(results[1].response.content[0].text).toBe("You said: two");
      expect(results[2]).toMatchObject({ custom_id: "c", code: "forbidden" });
    });

    test("64 requests at once are all answered, each with its own answer", async () => {
      const inbox = join(api("openai.chat"), "inbox");
      const outbox = join(api("openai.chat"), "outbox");
      for (let i = 0; i < 64; i++)
        commit(inbox, `many-${i}`, JSON.stringify(FORMATS["openai.chat"](`number ${i}`)));
      for (let i = 0; i < 64; i++) {
        const { ok, text } = await outcome(outbox, `many-${i}`);
        expect([ok, answerText("openai.chat", text)]).toEqual([true, `You said: number ${i}`]);
      }
    });

    test("the audit log names the caller and its chain holds", async () => {
      const text = read(join(served.root, "audit/events.jsonl"));
      expect(verifyChain(text)).toBeUndefined();
      expect(verifyChain(text.replace('"event":"denied"', '"event":"staged"'))).toBeGreaterThan(0);
      const rows = text
        .trim()
        .split("\n")
        .map((row) => JSON.parse(row));
      for (const event of [
        "staged",
        "queued",
        "drained",
        "duplicate",
        "denied",
        "error",
        "cancelled",
        "configured",
        "tool_call",
      ]) {
        expect(rows.some((row) => row.event === event)).toBe(true);
      }
      expect(rows.every((row) => row.host_uid === process.getuid!())).toBe(true);
    });

    test("requests, answers, threads and audit are there after a crash", async () => {
      behave({ hold: Bun.sleep(5000) });
      await configure("slow", { url: server.url, mod: "stub-model", enabled: "1" });
      const inbox = join(api("openai.chat"), "inbox");
      commit(inbox, "crash", JSON.stringify(FORMATS["openai.chat"]("in flight")));
      await until(() => server.seen.length === 1);
      await served.kill();
      await served.restart();
      const { ok, text } = await outcome(join(api("openai.chat"), "outbox"), "crash");
      expect([ok, JSON.parse(text).code]).toEqual([false, "execution_outcome_unknown"]);
      expect(server.seen.length).toBe(1);
      expect(read(join(api("openai.chat"), "outbox/s1.resp.json"))).toContain("You said: hello");
      expect(read(join(served.home, "thread/talk/messages.jsonl")).trim().split("\n").length).toBe(4);
      expect(verifyChain(read(join(served.root, "audit/events.jsonl")))).toBeUndefined();
      behave({});
      commit(inbox, "crash", JSON.stringify(FORMATS["openai.chat"]("in flight")));
      await until(() => existsSync(join(api("openai.chat"), "outbox/crash.resp.json")));
    });
  });
}
