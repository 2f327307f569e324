import { join } from "node:path";

/** What the forge does with its next requests: an answer that says nothing of what was done, or a refusal. */
export type Mood = "answer" | "fail" | "do-and-fail";

interface PullRecord {
  readonly number: number;
  readonly html_url: string;
  state: string;
  readonly title: string;
  readonly body: string;
  readonly merged_at: string | null;
  readonly head: {
    readonly ref: string;
    readonly sha: string;
    readonly repo: { readonly full_name: string };
  };
  readonly base: { readonly ref: string };
}

/**
 * A local forge: pull requests as GitHub's REST API publishes them (`GET` and `POST /repos/OWNER/NAME/pulls`), and git's own
 * smart HTTP protocol over a directory of bare repositories, `/git/OWNER/NAME.git`.
 */
export function startForge(repositories: string, token: string) {
  const pulls: PullRecord[] = [];
  const seen: { method: string; path: string; authorization: string | null }[] = [];
  let moods: Mood[] = [];
  const git = `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
  const branchOf = (project: string, ref: string): string =>
    Bun.spawnSync(["git", "rev-parse", "--verify", "--quiet", `refs/heads/${ref}`], {
      cwd: join(repositories, `${project}.git`),
    })
      .stdout.toString()
      .trim();
  const create = (project: string, given: Record<string, string>): Response => {
    const sha = branchOf(project, given["head"]!);
    const twice = pulls.some(
      ({ head, base, state }) => head.ref === given["head"] && base.ref === given["base"] && state === "open",
    );
    if (sha === "" || twice)
      return Response.json(
        {
          message: "Validation Failed",
          errors: [{ message: twice ? "A pull request already exists" : "head" }],
        },
        { status: 422 },
      );
    const number = pulls.length + 1;
    const made: PullRecord = {
      number,
      html_url: `http://forge.example/${project}/pull/${number}`,
      state: "open",
      title: given["title"]!,
      body: given["body"]!,
      merged_at: null,
      head: { ref: given["head"]!, sha, repo: { full_name: project } },
      base: { ref: given["base"]! },
    };
    pulls.push(made);
    return Response.json(made, { status: 201 });
  };
  const answer = async (request: Request, url: URL): Promise<Response> => {
    const project = /^\/repos\/([^/]+\/[^/]+)\/pulls$/.exec(url.pathname)?.[1];
    if (project === undefined) return Response.json({ message: "Not Found" }, { status: 404 });
    if (request.method === "POST") return create(project, (await request.json()) as Record<string, string>);
    const page = Number(url.searchParams.get("page") ?? 1);
    const wanted = url.searchParams.get("head")?.split(":")[1];
    return Response.json(page > 1 ? [] : pulls.filter(({ head }) => head.ref === wanted));
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const url = new URL(request.url);
      const authorization = request.headers.get("authorization");
      seen.push({ method: request.method, path: url.pathname, authorization });
      if (url.pathname.startsWith("/git/")) {
        if (authorization !== git)
          return new Response("who?", { status: 401, headers: { "www-authenticate": "Basic" } });
        return await httpBackend(request, url, repositories);
      }
      if (authorization !== `Bearer ${token}`)
        return Response.json({ message: "Bad credentials" }, { status: 401 });
      const mood = moods.shift() ?? "answer";
      const response = mood === "fail" ? null : await answer(request, url);
      return mood === "answer" ? response! : Response.json({ message: "Bad Gateway" }, { status: 502 });
    },
  });
  const address = `http://127.0.0.1:${server.port}`;
  return {
    address,
    api: address,
    remote: (project: string) => `${address}/git/${project}.git`,
    pulls,
    seen,
    /** Of the next requests to the API, one each; those after them are answered. */
    moods(...next: Mood[]) {
      moods = next;
    },
    branchOf,
    stop: () => server.stop(true),
  };
}

/** git's own server of its protocol, as a CGI program. */
async function httpBackend(request: Request, url: URL, repositories: string): Promise<Response> {
  const child = Bun.spawn(["git", "http-backend"], {
    env: {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      GIT_PROJECT_ROOT: repositories,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      REMOTE_USER: "somebody",
      REMOTE_ADDR: "127.0.0.1",
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname.slice("/git".length),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers.get("content-type") ?? "",
      HTTP_CONTENT_ENCODING: request.headers.get("content-encoding") ?? "",
      GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
    },
    stdin: new Uint8Array(await request.arrayBuffer()),
    stdout: "pipe",
    stderr: "ignore",
  });
  const out = Buffer.from(await child.stdout.bytes());
  const end = out.indexOf("\r\n\r\n");
  const headers = new Headers();
  let status = 200;
  for (const line of out.subarray(0, end).toString("latin1").split("\r\n")) {
    const at = line.indexOf(":");
    const [name, value] = [line.slice(0, at), line.slice(at + 1).trim()];
    if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
    else headers.append(name, value);
  }
  return new Response(out.subarray(end + 4), { status, headers });
}
