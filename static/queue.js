/**
 * The subjects ahead of the volunteer. items[0] is on screen; at least AHEAD more are kept behind it, leased and
 * decoded. The server alone says that nothing is left, and no subject comes up that was answered here.
 *
 * Events: `change` (items or state changed), `stolen` (the subject on screen was answered in another tab), `stranger`
 * (the server does not know this browser any more).
 *
 * @typedef {import('./outbox.js').Outbox} Outbox
 * @typedef {'loading'|'ready'|'done'|'seen'|'unsent'|'error'} QueueState
 *     done, seen: the server's reason for an empty list; unsent: all it gave is answered and waits in the outbox
 */
import * as api from './api.js';
import { Item } from './item.js';

const AHEAD = 3;
const MOST = 10;
const ASK_AGAIN_MS = 20_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 30_000;

export class Queue extends EventTarget {
	/** @type {Item[]} */
	items = [];
	/** @type {QueueState} */
	state = 'loading';
	/** @type {Error|null} why the last asking failed */
	error = null;
	#slug;
	#expert;
	#outbox;
	/** @type {Set<number>} */
	#answered = new Set();
	#asking = false;
	/** Asked to ask while asking: the reply under way may be out of date. */
	#askedAgain = false;
	#stopped = false;
	#retry_ms = RETRY_FIRST_MS;
	/** @type {ReturnType<typeof setTimeout>|undefined} */
	#timer;
	#listening = new AbortController();

	/** @param {string} slug @param {boolean} expert the expert queue @param {Outbox} outbox */
	constructor(slug, expert, outbox) {
		super();
		this.#slug = slug;
		this.#expert = expert;
		this.#outbox = outbox;
		const { signal } = this.#listening;
		const on = (/** @type {string} */ type, /** @type {(entry: import('./store.js').Entry) => void} */ then) =>
			outbox.addEventListener(type, (event) => {
				const { entry } = /** @type {CustomEvent} */ (event).detail;
				if (entry.project === slug)
					then(entry);
			}, { signal });
		on('elsewhere', (entry) => this.#onElsewhere(entry));
		on('sent', () => this.items.length <= AHEAD && this.fill());
		on('refused', (entry) => {
			if (entry.kind === 'answer' && entry.status === 400)
				this.#answered.delete(entry.subject); // not an answer at all: the subject may come again
		});
		addEventListener('online', () => this.fill(), { signal });
	}

	/** The subject on screen. */
	get current() {
		return this.items[0];
	}

	/** Ends the queue; leases run out by themselves. */
	stop() {
		this.#stopped = true;
		this.#listening.abort();
		clearTimeout(this.#timer);
		for (const item of this.items)
			item.stop();
	}

	/** The subject on screen has been answered. */
	advance() {
		const item = this.items.shift();
		if (item) {
			item.stop();
			this.#answered.add(item.task.subject);
		}
		this.#refresh();
	}

	/** Leaves the subject on screen unanswered; it does not come back in this visit. */
	skip() {
		this.advance();
	}

	/** Puts a subject whose answer was taken back on screen. @param {api.Task} task */
	giveBack(task) {
		this.#answered.delete(task.subject);
		this.items = this.items.filter((item) => item.task.subject !== task.subject);
		this.items.unshift(new Item(task));
		this.#refresh();
	}

	/** Asks the server for more where fewer than AHEAD are ahead. */
	async fill() {
		clearTimeout(this.#timer);
		this.#askedAgain = this.#asking;
		if (this.#asking || this.#stopped || this.items.length > AHEAD)
			return;
		this.#asking = true;
		try {
			const unsent = await this.#outbox.unsentSubjects(this.#slug);
			const n_wanted = Math.min(MOST, 1 + AHEAD + unsent.size);
			const reply = await api.nextTasks(this.#slug, n_wanted, this.#expert);
			if (this.#stopped)
				return;
			const fresh = reply.tasks.filter((task) => !this.#isKnown(task.subject) && !unsent.has(task.subject));
			this.items.push(...fresh.map((task) => new Item(task)));
			this.error = null;
			this.#retry_ms = RETRY_FIRST_MS;
			if (this.items.length === 0)
				this.state = reply.reason ?? 'unsent';
			if (this.items.length <= AHEAD)
				this.#askLater(this.state === 'unsent' && unsent.size === 0 ? RETRY_FIRST_MS : ASK_AGAIN_MS);
		} catch (cause) {
			if (!(cause instanceof api.ApiError))
				throw cause;
			this.error = cause;
			if (this.items.length === 0)
				this.state = 'error';
			if (cause.status === 401)
				this.dispatchEvent(new Event('stranger'));
			if (!cause.isFinal)
				this.#askLater(this.#retry_ms);
			this.#retry_ms = Math.min(2 * this.#retry_ms, RETRY_MOST_MS);
		} finally {
			this.#asking = false;
		}
		this.#settle();
		if (this.#askedAgain)
			this.fill();
	}

	/** @param {number} ms */
	#askLater(ms) {
		this.#timer = setTimeout(() => this.fill(), ms);
	}

	/** After the list changed: drop what has expired unseen, show what is there, ask for more. */
	#refresh() {
		this.items = this.items.filter((item) => !item.isExpired);
		if (this.items.length === 0 && this.state === 'ready')
			this.state = 'loading';
		this.#settle();
		this.fill();
	}

	#settle() {
		if (this.items.length > 0)
			this.state = 'ready';
		this.#decodeAhead();
		this.dispatchEvent(new Event('change'));
	}

	/** First pictures first, in order; then the whole bursts of the subject on screen and of the next one. */
	async #decodeAhead() {
		const items = this.items.slice(0, 1 + MOST);
		for (const item of items)
			await item.picture(0).catch(() => null);
		for (const item of items.slice(0, 2))
			await item.preload();
	}

	/** @param {number} subject */
	#isKnown(subject) {
		return this.#answered.has(subject) || this.items.some((item) => item.task.subject === subject);
	}

	/** @param {import('./store.js').Entry} entry */
	#onElsewhere(entry) {
		if (entry.kind === 'undo') {
			this.#answered.delete(entry.subject);
			return;
		}
		const wasOnScreen = this.current?.task.subject === entry.subject;
		this.#answered.add(entry.subject);
		this.items = this.items.filter((item) => item.task.subject !== entry.subject);
		if (wasOnScreen)
			this.dispatchEvent(new Event('stolen'));
		this.#refresh();
	}
}
