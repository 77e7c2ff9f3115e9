// The events setUsername and msg of docs/wire.md, for a socket.io server on Node or Bun.
// The server announces no arrivals. The chat announces them in rooms of up to 200 names only, and a
// count once a second in larger ones. One packet for each arrival and client, as in socket.io's own
// example, would be 32 million packets for the 8,000 clients of `arrive`.

export function chat(io) {
  const names = new Map();
  let last = 0;

  io.on("connection", (socket) => {
    socket.join("lobby");

    socket.on("setUsername", (name, acknowledge) => {
      const folded = name.toLowerCase();
      if (names.has(folded)) {
        const message = `${name} username is taken! Try some other username.`;
        socket.emit("userExists", message);
        acknowledge?.({ ok: false, code: "name_taken", message });
        return;
      }
      names.delete(socket.data.user?.toLowerCase());
      names.set(folded, socket.id);
      socket.data.user = name;
      socket.emit("userSet", name);
      acknowledge?.({ ok: true, user: name });
    });

    socket.on("msg", ({ message }, acknowledge) => {
      const meta = { room: "lobby", id: ++last, at: Date.now() };
      io.to("lobby").emit("newmsg", { user: socket.data.user, message }, meta);
      acknowledge?.({ ok: true, ...meta });
    });

    socket.on("disconnect", () => names.delete(socket.data.user?.toLowerCase()));
  });
}
