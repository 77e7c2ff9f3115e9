// The connection to the server: what it says is handed on as few, plain events of its own.
import { io } from "./vendor/socket.io.esm.min.js";

const ANSWER_WITHIN_MS = 10000;

export class Connection {
  #socket;
  #status;
  #name = null;
  #listeners = new Map();

  constructor(path, status) {
    this.#status = status;
    this.#socket = io({ path, transports: ["websocket", "polling"], tryAllTransports: true });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("disconnect", (reason) => this.#disconnected(reason));
    this.#socket.on("connect_error", () => this.#show("Can't reach the server; trying again…"));
    this.#socket.on("userSet", (name) => this.#named(name));
    this.#socket.on("newmsg", (said, number) => this.#tell("message", said, number));
    this.#socket.on("userJoined", ({ user }) => this.#tell("people", { joined: user }));
    this.#socket.on("userLeft", ({ user }) => this.#tell("people", { left: user }));
    this.#socket.on("userRenamed", ({ from, to }) => this.#tell("people", { left: from, joined: to }));
    this.#socket.on("presence", ({ count }) => this.#tell("people", { count }));
    this.#socket.on("userExists", (sentence) => this.#tell("name-refused", sentence));
  }

  on(event, listener) {
    this.#listeners.set(event, listener);
  }

  setName(name) {
    this.#name = name;
    if (this.#socket.connected) this.#socket.emit("setUsername", name);
  }

  // Resolves to whether the server has taken the message.
  async say(message) {
    try {
      const answer = await this.#ask("msg", { message, user: this.#name });
      this.#tell("error", answer.ok ? "" : answer.message);
      return answer.ok;
    } catch {
      this.#tell("error", "The server didn't answer, so it isn't known whether the message was sent.");
      return false;
    }
  }

  async join() {
    try {
      const answer = await this.#ask("join", {});
      if (answer.ok) this.#tell("joined", answer);
    } catch {
      // The connection broke meanwhile; the next one joins again.
    }
  }

  #ask(event, argument) {
    return this.#socket.timeout(ANSWER_WITHIN_MS).emitWithAck(event, argument);
  }

  #connected() {
    this.#show("Connected");
    this.#tell("open", true);
    if (this.#name !== null) this.#socket.emit("setUsername", this.#name);
    this.join();
  }

  #disconnected(reason) {
    this.#tell("open", false);
    this.#show(this.#socket.active ? "Connection lost; reconnecting…" : `Disconnected: ${reason}`);
  }

  #named(name) {
    this.#name = name;
    this.#tell("named", name);
    this.join();
  }

  #show(words) {
    this.#status.textContent = words;
  }

  #tell(event, ...details) {
    this.#listeners.get(event)?.(...details);
  }
}
