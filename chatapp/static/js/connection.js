// The page's connection to the server, with its reconnection delays. Importing this module connects,
// so that the handshake runs while the other modules still load.
import { io } from "../vendor/socket.io.esm.min.js";

const ANSWER_TIMEOUT_MS = 10000;
const INITIAL_DELAY_MS = 500;
const MAX_DELAY_MS = 15000;

// Its phases: `connecting`, `connected`, `waiting` (until `retryAt`), and `away`: it doesn't reconnect
// by itself.
class Connection {
  phase = "connecting";
  retryAt = 0;
  #socket;
  #attempts = 0;
  #isClosing = false; // whether this class closes the socket itself
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

  // Call `onChange(phase)` now and on each change. Without a subscriber the phase stays `connecting`.
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

  // Drop a pending attempt, which may hang on a network that has gone, and start a new one.
  reconnect() {
    clearTimeout(this.#timer);
    this.#isClosing = true;
    this.#socket.disconnect();
    this.#isClosing = false;
    this.#socket.connect();
    this.#setPhase("connecting");
  }

  // Disconnect, and stay so until `reconnect` is called.
  stop() {
    clearTimeout(this.#timer);
    this.phase = "away";
    this.#socket.disconnect();
    this.#setPhase("away");
  }

  emit(event, ...args) {
    if (this.isConnected) this.#socket.emit(event, ...args);
  }

  // Resolve to the parsed answer, or to null if the connection breaks first. A request without an
  // answer in time is sent again: all requests of the page are idempotent.
  async request(event, parse, ...args) {
    while (this.isConnected) {
      let answer;
      try {
        answer = await this.#socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, ...args);
      } catch {
        continue;
      }
      return parse(answer);
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
