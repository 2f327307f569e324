import { readPrivateFile } from "../../base/private-file.ts";
import { readTextFile } from "../../base/read-file.ts";

/** PEM files: the authority of the controller's certificate, and the certificate that this runner shows. */
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** PEM texts, as `fetch` takes them. */
export interface ClientTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** @throws Failure `io`, or `secret_denied` for a key that others may read */
export function readTls({ ca, certificate, key }: TlsFiles): ClientTls {
  return {
    ...(ca === undefined ? {} : { ca: readTextFile(ca) }),
    ...(certificate === undefined ? {} : { cert: readTextFile(certificate) }),
    ...(key === undefined ? {} : { key: readPrivateFile(key) }),
  };
}

/** `fetch` that trusts and shows these certificates. */
export function fetchWith(tls: ClientTls): (url: string, init: RequestInit) => Promise<Response> {
  if (Object.keys(tls).length === 0) return fetch;
  return (url, init) => fetch(url, { ...init, tls } as RequestInit);
}
