// The two oldest events of docs/wire.md for a socket.io server on Node or Bun.
// It announces no arrivals. The chat announces up to 200 names, and then a count once a second.
// socket.io's example sends one packet to each client for each arrival. That would be 32 million
// packets for the 8,000 clients of `arrive`, and the load would measure nothing else.

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
