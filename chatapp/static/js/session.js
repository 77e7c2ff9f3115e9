// The user's session: claims a name, claims it again after a reconnection, and stops when another tab
// takes the name over.
import { translateRefusal } from "./i18n.js";
import { isTemporary, parseNameAnswer, parseRefused, retryDelay } from "./wire.js";

export class Session {
  #store;
  #connection;
  #identity;
  #rooms;
  #isUserRequest = false; // whether the pending claim comes from the user, not from a reconnection

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
    this.#store.change(({ me }) => Object.assign(me, { requested: name, lastUsed: this.#identity.lastName }));
  }

  onConnected() {
    const { name } = this.#identity;
    const { me } = this.#store.state;
    if (me.requested && !this.#isUserRequest && name && this.#identity.isUsedInOtherTab(name)) {
      this.#connection.stop();
    } else if (me.requested) this.#claim(me.requested);
    else this.#rooms.joinAll();
  }

  // Claim a name that the user has entered, or a new one.
  setName(name) {
    this.#isUserRequest = true;
    this.#store.change(({ me }) => Object.assign(me, { requested: name, refusal: "" }));
    return this.#claim(name);
  }

  // Take the name back from another tab.
  resume() {
    this.#isUserRequest = true;
    this.#connection.reconnect();
  }

  // Resolve to whether the server gave the name.
  async #claim(name) {
    const token = this.#identity.tokenOf(name);
    const answer = await this.#connection
      .request("setUsername", parseNameAnswer, name, { token, hold: true })
      .catch((error) => this.#onInvalidAnswer(error));
    if (answer === null) return false; // the connection broke; onConnected claims again
    if (!this.#isUserRequest && isTemporary(answer)) {
      await new Promise((resume) => setTimeout(resume, retryDelay(answer)));
      return this.#claim(name);
    }
    this.#isUserRequest = false;
    if (answer.ok) this.#onClaimed(answer);
    else this.#onRefused(name, answer);
    await this.#rooms.joinAll();
    return answer.ok;
  }

  // The answer was malformed: let the user try again.
  #onInvalidAnswer(error) {
    this.#isUserRequest = false;
    this.#store.change(({ me }) => Object.assign(me, { requested: me.name }));
    throw error;
  }

  #onClaimed({ user, token }) {
    this.#store.change(({ me, rooms }) => {
      if (me.name && me.name !== user) rooms.forEach((room) => room.addFormerName(me.name));
    });
    this.#identity.setName(user, token);
    this.#rooms.restore(user);
    this.#store.change(({ me }) => Object.assign(me, { name: user, requested: user, refusal: "" }));
  }

  // After a refused rename the user keeps the old name. After a refused reclaim the user has none.
  #onRefused(name, answer) {
    const before = this.#store.state.me.name;
    const hasName = before !== "" && this.#identity.name === before && name !== before;
    if (!hasName && !isTemporary(answer)) this.#identity.clearName();
    const refusal = translateRefusal(answer, { name });
    this.#store.change(({ me }) =>
      Object.assign(me, { name: hasName ? before : "", requested: hasName ? before : "", refusal }),
    );
  }
}
