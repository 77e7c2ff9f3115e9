// The page's connection to the server, and when it's tried again. It's begun while the rest of the
// page is still on its way.
import { io } from "../vendor/socket.io.esm.min.js";

const ANSWER_TIMEOUT_MS = 10000;
const INITIAL_DELAY_MS = 500;
const MAX_DELAY_MS = 15000;

// `connecting`, `connected`, `waiting` (until `retryAt`), or `away`: not to be tried by itself.
class Connection {
  phase = "connecting";
  retryAt = 0;
  #socket;
  #attempts = 0;
  #isClosing = false; // whether it is being broken off from here
  #timer;
  #onChange = null;

  constructor(path) {
    this.#socket = io({
      path,
      autoConnect: false,
      reconnection: false,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      timeout: ANSWER_TIMEOUT_MS,
    });
    this.#socket.on("connect", () => {
      this.#attempts = 0;
      if (this.#onChange) this.#setPhase("connected");
    });
    this.#socket.on("disconnect", () => this.#onDisconnected());
    this.#socket.on("connect_error", () => this.#onDisconnected());
    window.addEventListener("online", () => this.#isReconnecting() && this.reconnect());
    window.addEventListener("offline", () => this.phase === "connected" && this.reconnect());
  }

  // `onChange(phase)` is called now and with each change. It isn't up before somebody follows it.
  subscribe(onChange) {
    this.#onChange = onChange;
    this.#setPhase(this.#socket.connected ? "connected" : this.phase);
  }

  get isConnected() {
    return this.phase === "connected";
  }

  on(event, listener) {
    this.#socket.on(event, listener);
  }

  // An attempt that hangs, on a network that is gone, is given up for a new one.
  reconnect() {
    clearTimeout(this.#timer);
    this.#isClosing = true;
    this.#socket.disconnect();
    this.#isClosing = false;
    this.#socket.connect();
    this.#setPhase("connecting");
  }

  // Stay away until `reconnect`.
  stop() {
    clearTimeout(this.#timer);
    this.phase = "away";
    this.#socket.disconnect();
    this.#setPhase("away");
  }

  emit(event, ...args) {
    if (this.isConnected) this.#socket.emit(event, ...args);
  }

  // Resolves to the server's answer as `check` has it, or to null if the connection broke first.
  // What isn't answered in time is asked again: nothing that is asked here does harm twice.
  async request(event, check, ...args) {
    while (this.isConnected) {
      let answer;
      try {
        answer = await this.#socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, ...args);
      } catch {
        continue;
      }
      return check(answer);
    }
    return null;
  }

  #isReconnecting() {
    return this.phase === "waiting" || this.phase === "connecting";
  }

  #onDisconnected() {
    if (this.phase === "away" || this.#isClosing) return;
    const ceiling = Math.min(INITIAL_DELAY_MS * 2 ** this.#attempts, MAX_DELAY_MS);
    const delay = ceiling * (0.5 + Math.random() / 2);
    this.#attempts += 1;
    this.retryAt = Date.now() + delay;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.reconnect(), delay);
    this.#setPhase("waiting");
  }

  #setPhase(phase) {
    this.phase = phase;
    this.#onChange?.(phase);
  }
}

export const connection = new Connection(document.body.dataset.socketPath);
connection.reconnect();
