// The page's connection to the server, and when it's tried again. It's begun while the rest of the
// page is still on its way.
import { io } from "../vendor/socket.io.esm.min.js";

const ANSWER_WITHIN_MS = 10000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15000;

// `connecting`, `connected`, `waiting` (until `retryAt`), or `away`: not to be tried by itself.
class Connection {
  phase = "connecting";
  retryAt = 0;
  #socket;
  #attempts = 0;
  #isMine = false; // whether it is being broken off from here
  #timer;
  #onChange = null;

  constructor(path) {
    this.#socket = io({
      path,
      autoConnect: false,
      reconnection: false,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      timeout: ANSWER_WITHIN_MS,
    });
    this.#socket.on("connect", () => {
      this.#attempts = 0;
      if (this.#onChange) this.#turn("connected");
    });
    this.#socket.on("disconnect", () => this.#broken());
    this.#socket.on("connect_error", () => this.#broken());
    window.addEventListener("online", () => this.#isToBeTried() && this.tryNow());
    window.addEventListener("offline", () => this.phase === "connected" && this.tryNow());
  }

  // `onChange(phase)` is called now and with each change. It isn't up before somebody follows it.
  follow(onChange) {
    this.#onChange = onChange;
    this.#turn(this.#socket.connected ? "connected" : this.phase);
  }

  get isUp() {
    return this.phase === "connected";
  }

  on(event, listener) {
    this.#socket.on(event, listener);
  }

  // An attempt that hangs, on a network that is gone, is given up for a new one.
  tryNow() {
    clearTimeout(this.#timer);
    this.#isMine = true;
    this.#socket.disconnect();
    this.#isMine = false;
    this.#socket.connect();
    this.#turn("connecting");
  }

  // Stay away until `tryNow`.
  stop() {
    clearTimeout(this.#timer);
    this.phase = "away";
    this.#socket.disconnect();
    this.#turn("away");
  }

  tell(event, ...details) {
    if (this.isUp) this.#socket.emit(event, ...details);
  }

  // Resolves to the server's answer as `check` has it, or to null if the connection broke first.
  // What isn't answered in time is asked again: nothing that is asked here does harm twice.
  async ask(event, check, ...details) {
    while (this.isUp) {
      let answer;
      try {
        answer = await this.#socket.timeout(ANSWER_WITHIN_MS).emitWithAck(event, ...details);
      } catch {
        continue;
      }
      return check(answer);
    }
    return null;
  }

  #isToBeTried() {
    return this.phase === "waiting" || this.phase === "connecting";
  }

  #broken() {
    if (this.phase === "away" || this.#isMine) return;
    const longest = Math.min(FIRST_DELAY_MS * 2 ** this.#attempts, LONGEST_DELAY_MS);
    const delay = longest * (0.5 + Math.random() / 2);
    this.#attempts += 1;
    this.retryAt = Date.now() + delay;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.tryNow(), delay);
    this.#turn("waiting");
  }

  #turn(phase) {
    this.phase = phase;
    this.#onChange?.(phase);
  }
}

export const connection = new Connection(document.body.dataset.socketPath);
connection.tryNow();
