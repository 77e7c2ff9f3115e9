// The state of the page. All changes go through `change`, and all views render the state before the
// next frame.
export class Store {
  #subscribers = [];
  #isScheduled = false;
  #schedule;

  // `schedule(callback)` calls `callback` before the browser paints the next frame.
  constructor(state, schedule = beforePaint) {
    this.state = state;
    this.#schedule = schedule;
  }

  change(mutate) {
    mutate(this.state);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => this.#notify());
  }

  // Call `view(state)` now, and once after the changes before each frame.
  subscribe(view) {
    this.#subscribers.push(view);
    view(this.state);
  }

  #notify() {
    this.#isScheduled = false;
    for (const view of this.#subscribers) view(this.state);
  }
}

// A hidden window paints no frames, but its title must still be updated.
function beforePaint(callback) {
  if (document.hidden) setTimeout(callback);
  else requestAnimationFrame(callback);
}
