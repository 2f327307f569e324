/** The service that `bench engine` calls, in a process of its own: answers at once. Prints its port. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    await request.text();
    return Response.json({ done: true });
  },
});
console.log(server.port);
