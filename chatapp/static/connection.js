// The connection to the server, in one room: what it says is handed on as few, plain events.
import { io } from "./vendor/socket.io.esm.min.js";

const ANSWER_WITHIN_MS = 10000;

export class Connection {
  #socket;
  #room;
  #status;
  #identity;
  #listeners = new Map();

  constructor(path, room, status, identity) {
    this.#room = room;
    this.#status = status;
    this.#identity = identity;
    this.#socket = io({ path, transports: ["websocket", "polling"], tryAllTransports: true });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("disconnect", (reason) => this.#disconnected(reason));
    this.#socket.on("connect_error", () => this.#show("Can't reach the server; trying again…"));
    this.#socket.on("userSet", (name) => this.#tell("named", name));
    this.#socket.on("userExists", (sentence) => this.#tell("name-refused", sentence));
    this.#socket.on("refused", ({ code, message }) => {
      if (code === "taken_over") this.#tell("error", message);
    });
    window.addEventListener("online", () => this.#tryNow());
    this.#here("newmsg", (said, number) => this.#tell("message", said, number), 1);
    this.#here("userJoined", ({ user }) => this.#tell("people", { joined: user }));
    this.#here("userLeft", ({ user }) => this.#tell("people", { left: user }));
    this.#here("userRenamed", ({ from, to }) => this.#tell("people", { left: from, joined: to }));
    this.#here("presence", ({ count }) => this.#tell("people", { count }));
  }

  on(event, listener) {
    this.#listeners.set(event, listener);
  }

  async setName(name) {
    this.#identity.ask(name);
    if (!this.#socket.connected) return;
    try {
      const { name: asked, token } = this.#identity;
      const answer = await this.#ask("setUsername", asked, { token, hold: true });
      if (answer.ok) this.#identity.given(answer.user, answer.token);
    } catch {
      // The connection broke meanwhile; the next one asks again.
    }
  }

  // These resolve to the server's answer, or to null if the connection broke before it came.
  say(message, key) {
    return this.#try("msg", { message, key, room: this.#room, user: this.#identity.name });
  }

  join(since) {
    return this.#try("join", { room: this.#room, since });
  }

  history(since) {
    return this.#try("history", { room: this.#room, since, limit: 200 });
  }

  async #try(event, argument) {
    try {
      return await this.#ask(event, argument);
    } catch {
      return null;
    }
  }

  #ask(event, ...details) {
    return this.#socket.timeout(ANSWER_WITHIN_MS).emitWithAck(event, ...details);
  }

  // Others than the lobby's are heard only where they were joined, but everyone hears the lobby.
  #here(event, listener, place = 0) {
    this.#socket.on(event, (...details) => {
      if (details[place].room === this.#room) listener(...details);
    });
  }

  #connected() {
    this.#show("Connected");
    if (this.#identity.name) this.setName(this.#identity.name);
  }

  // A waiting attempt is given up with its delay: it may hang on a network that is gone.
  #tryNow() {
    if (this.#socket.connected) return;
    this.#socket.disconnect().connect();
  }

  #disconnected(reason) {
    this.#show(this.#socket.active ? "Connection lost; reconnecting…" : `Disconnected: ${reason}`);
  }

  #show(words) {
    this.#status.textContent = words;
  }

  #tell(event, ...details) {
    this.#listeners.get(event)?.(...details);
  }
}
