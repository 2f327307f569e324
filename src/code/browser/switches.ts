/**
 * The switches of Chromium beside those that Bun gives it (headless, no first run, its protocol over a pipe). The sandbox of
 * the task is the boundary: Chromium's own would need namespaces and set-user-id programs, which nothing in there may make.
 * @param proxy the only way out, where there is one
 */
export function browserSwitches(proxy: string | undefined): string[] {
  return [
    "--no-sandbox",
    // A page opens no other page: what asks for one is told in the log.
    "--block-new-web-contents",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-pings",
    "--mute-audio",
    // Nothing beside TCP, which the proxy sees; the network of the sandbox has no other way out either.
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    ...(proxy === undefined || proxy === ""
      ? []
      : // Loopback as well: asking for it is then refused by the proxy, and on record.
        [`--proxy-server=${proxy}`, "--proxy-bypass-list=<-loopback>"]),
  ];
}
