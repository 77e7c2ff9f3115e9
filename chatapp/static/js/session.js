// Who one is here: takes a name, keeps it over lost connections, and gives way to another tab.
import { refusal } from "./i18n.js";
import { isTemporary, parseNameAnswer, parseRefused, retryDelay } from "./wire.js";

export class Session {
  #store;
  #connection;
  #identity;
  #rooms;
  #isAsked = false; // whether the person asked for the name just now, and not the page by itself

  constructor({ store, connection, identity, rooms }) {
    this.#store = store;
    this.#connection = connection;
    this.#identity = identity;
    this.#rooms = rooms;
    connection.on("refused", (refused) => {
      if (parseRefused(refused).code === "taken_over") connection.stop();
    });
  }

  start() {
    const { name } = this.#identity;
    this.#store.change(({ me }) => Object.assign(me, { wanted: name, last: this.#identity.lastName }));
  }

  connected() {
    const { name } = this.#identity;
    const { me } = this.#store.state;
    if (me.wanted && !this.#isAsked && name && this.#identity.isInAnotherWindow(name)) {
      this.#connection.stop();
    } else if (me.wanted) this.#ask(me.wanted);
    else this.#rooms.enterAll();
  }

  // The person asks for a name, or for another.
  setName(name) {
    this.#isAsked = true;
    this.#store.change(({ me }) => Object.assign(me, { wanted: name, refusal: "" }));
    return this.#ask(name);
  }

  // "You're chatting in another tab": no longer.
  comeBack() {
    this.#isAsked = true;
    this.#connection.tryNow();
  }

  // Resolves to whether the name is one's own now.
  async #ask(name) {
    const token = this.#identity.tokenOf(name);
    const answer = await this.#connection
      .ask("setUsername", parseNameAnswer, name, { token, hold: true })
      .catch((error) => this.#giveUp(error));
    if (answer === null) return false; // the connection broke; the next one asks again
    if (!this.#isAsked && isTemporary(answer)) {
      await new Promise((resume) => setTimeout(resume, retryDelay(answer)));
      return this.#ask(name);
    }
    this.#isAsked = false;
    if (answer.ok) this.#named(answer);
    else this.#refused(name, answer);
    await this.#rooms.enterAll();
    return answer.ok;
  }

  // What the server said of the name makes no sense: it can be asked for again.
  #giveUp(error) {
    this.#isAsked = false;
    this.#store.change(({ me }) => Object.assign(me, { wanted: me.name }));
    throw error;
  }

  #named({ user, token }) {
    const { me, rooms } = this.#store.state;
    if (me.name && me.name !== user) rooms.forEach((room) => room.wasCalled(me.name));
    this.#identity.given(user, token);
    this.#rooms.recall(user);
    this.#store.change(() => Object.assign(me, { name: user, wanted: user, refusal: "" }));
  }

  // A rename that is refused leaves the name that one has; one that was lost meanwhile is asked for.
  #refused(name, answer) {
    const before = this.#store.state.me.name;
    const hasName = before !== "" && this.#identity.name === before && name !== before;
    if (!hasName && !isTemporary(answer)) this.#identity.forget();
    const told = refusal(answer, { name });
    this.#store.change(({ me }) =>
      Object.assign(me, { name: hasName ? before : "", wanted: hasName ? before : "", refusal: told }),
    );
  }
}
