// The state of the page. Views draw what it holds; whoever changes it says so here, and all views
// subscribe together.
export class Store {
  #subscribers = [];
  #isScheduled = false;
  #schedule;

  // `schedule(call)` has `call()` called before the page is painted next.
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

  // Have `view(state)` called now and after every change.
  subscribe(view) {
    this.#subscribers.push(view);
    view(this.state);
  }

  #notify() {
    this.#isScheduled = false;
    for (const view of this.#subscribers) view(this.state);
  }
}

// Nothing is painted in a hidden window, but its title goes on.
function beforePaint(call) {
  if (document.hidden) setTimeout(call);
  else requestAnimationFrame(call);
}
