/**
 * The outbox: no answer is lost. An answer is stored in this browser before it is sent and deleted only after the
 * server has acknowledged it; what the server refuses for good is kept with its reason until the person sends it again or puts it away.
 * Sending twice is harmless, because each answer carries its own UUID. Answers and their undos go out in the order
 * they were given.
 *
 * Events: `change` (the lists changed), `sent` {entry, reply}, `refused` {entry}, `elsewhere` {entry} (another tab
 * answered), `stranger` (the server does not know this browser).
 *
 * @typedef {import('./store.js').Entry} Entry
 */
import * as api from './api.js';
import { t } from './lang.js';
import { openStore } from './store.js';

const WAIT_FIRST_MS = 1_000;
const WAIT_MOST_MS = 60_000;

/** A random UUID (version 4). crypto.randomUUID would want a secure context, which a field station has not. */
export function newUuid() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
	return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export class Outbox extends EventTarget {
	/** @type {Promise<import('./store.js').Store>} */
	#store = openStore();
	#channel = new BroadcastChannel('topi.outbox');
	/** @type {Entry[]} */
	#entries = [];
	/** @type {number|null|undefined} the account that this browser is logged in to; null: anonymous; undefined: not known yet */
	#owner = undefined;
	#sending = false;
	#asked = false;
	#wait_ms = WAIT_FIRST_MS;
	/** @type {ReturnType<typeof setTimeout>|undefined} */
	#timer;
	/** @type {string|null} why the last attempt failed; null: the server answers */
	trouble = null;
	/** @type {'indexeddb'|'localstorage'|'memory'} */
	storage = 'indexeddb';

	constructor() {
		super();
		this.#channel.onmessage = (message) => {
			this.#read();
			if (message.data)
				this.#emit('elsewhere', { entry: message.data });
		};
		addEventListener('online', () => this.sendNow());
		document.addEventListener('visibilitychange', () => {
			if (document.visibilityState === 'visible')
				this.sendNow();
		});
		this.#store.then((store) => {
			this.storage = store.kind;
		});
	}

	/** Answers that wait and may be sent by whoever uses this browser now. */
	get waiting() {
		return this.#entries.filter((entry) => entry.state === 'waiting' && this.#isMine(entry));
	}

	/** Answers that an account gave here before it logged out; they go out when it is back. */
	get held() {
		return this.#entries.filter((entry) => entry.state === 'waiting' && !this.#isMine(entry));
	}

	/** Answers that the server refused for good. */
	get refused() {
		return this.#entries.filter((entry) => entry.state === 'refused');
	}

	/** Subjects of a project that are answered here but not yet at the server. @param {string} project */
	async unsentSubjects(project) {
		await this.#read();
		const subjects = new Set();
		for (const entry of this.waiting)
			if (entry.project === project)
				entry.kind === 'answer' ? subjects.add(entry.subject) : subjects.delete(entry.subject);
		return subjects;
	}

	/** Says who is using this browser. Anonymous answers belong to the browser, an account's to the account. @param {api.Me} me */
	setOwner(me) {
		this.#owner = me.anonymous ? null : me.id;
		this.#emit('change');
		this.sendNow();
	}

	/**
	 * Stores an answer; resolves once it is kept. Sending follows in the background.
	 * @param {string} project @param {api.Classification} body @param {string} label what was answered, in words
	 */
	async answer(project, body, label) {
		await this.#add({ project, kind: 'answer', subject: body.subject, label, body });
	}

	/**
	 * Takes back an answer. One that never left this browser is simply dropped; else an undo is stored and sent after it.
	 * Resolves to `cancelled`, to the server's task, to `pending` when the server does not answer for now, or throws the
	 * server's refusal.
	 * @param {string} project @param {string} of @param {number} subject @param {string} label
	 * @returns {Promise<'cancelled'|'pending'|api.Task>}
	 */
	async undo(project, of, subject, label) {
		let cancelled = false;
		await this.#update((entries) => {
			cancelled = entries.some((entry) => entry.uuid === of && entry.attempts === 0);
			return cancelled ? { remove: [of] } : {};
		});
		if (cancelled) {
			this.#channel.postMessage({ project, kind: 'undo', subject });
			return 'cancelled';
		}
		const body = { uuid: newUuid(), of };
		const outcome = this.#outcome(body.uuid);
		await this.#add({ project, kind: 'undo', subject, label: t('outbox.undo', { label }), body });
		return outcome;
	}

	/** Sends a refused answer once more, at the person's wish: what stood in its way may be gone. @param {string} uuid */
	async retry(uuid) {
		await this.#update((entries) => ({
			put: entries.filter((entry) => entry.uuid === uuid).map(({ status, reason, ...entry }) => ({ ...entry, state: 'waiting' })),
		}));
		await this.sendNow();
	}

	/** Removes a refused answer from the list, at the person's wish. @param {string} uuid */
	async dismiss(uuid) {
		await this.#update(() => ({ remove: [uuid] }));
		this.#channel.postMessage(null);
	}

	/** Sends what waits, at once; resolves when everything is sent or an attempt has failed. */
	async sendNow() {
		clearTimeout(this.#timer);
		if (this.#sending || this.#owner === undefined)
			return;
		this.#sending = true;
		let failed = false;
		let n_sent = 0;
		try {
			await this.#read();
			const blocked = new Set();
			for (;;) {
				const entry = this.waiting.find((e) => !blocked.has(`${e.project}/${e.subject}`));
				if (!entry)
					break;
				const outcome = await this.#send(entry);
				if (outcome === 'ok') {
					n_sent++;
					continue;
				}
				failed = true;
				if (outcome === 'stop')
					break;
				blocked.add(`${entry.project}/${entry.subject}`);
			}
		} finally {
			this.#sending = false;
		}
		if (n_sent > 0)
			this.#channel.postMessage(null);
		if (!failed) {
			this.#wait_ms = WAIT_FIRST_MS;
			this.trouble = null;
		} else {
			this.#timer = setTimeout(() => this.sendNow(), this.#wait_ms * (0.75 + Math.random() / 2));
			this.#wait_ms = Math.min(2 * this.#wait_ms, WAIT_MOST_MS);
		}
		this.#emit('change');
	}

	/**
	 * One attempt. The attempt is written down first: from then on the server may have the answer, and it can no longer be
	 * dropped here.
	 * @param {Entry} entry
	 * @returns {Promise<'ok'|'skip'|'stop'>} skip: only this subject fails; stop: nothing will get through for now
	 */
	async #send(entry) {
		let there = false;
		await this.#update((entries) => {
			const stored = entries.find((e) => e.uuid === entry.uuid);
			there = stored !== undefined;
			return stored ? { put: [{ ...stored, attempts: stored.attempts + 1 }] } : {};
		});
		if (!there)
			return 'ok';
		try {
			const reply = entry.kind === 'answer' ?
				await api.classify(entry.project, entry.body) : await api.undo(entry.project, entry.body);
			await this.#update(() => ({ remove: [entry.uuid] }));
			this.trouble = null;
			this.#emit('sent', { entry, reply });
			return 'ok';
		} catch (cause) {
			if (!(cause instanceof api.ApiError))
				throw cause;
			if (cause.isFinal) {
				const refused = { ...entry, state: /** @type {const} */ ('refused'), status: cause.status, reason: cause.message };
				await this.#update(() => ({ put: [refused] }));
				this.#emit('refused', { entry: refused });
				return 'ok';
			}
			this.trouble = cause.message;
			this.#persist();
			if (cause.status === 401)
				this.#emit('stranger');
			return cause.status === 500 ? 'skip' : 'stop';
		}
	}

	/** Asks the browser, once something has to wait, not to clear what is stored when its disk runs full. */
	#persist() {
		if (!this.#asked)
			navigator.storage?.persist?.().catch(() => false);
		this.#asked = true;
	}

	/** @param {Pick<Entry, 'project'|'kind'|'subject'|'label'|'body'>} what */
	async #add(what) {
		await this.#update((entries) => ({
			put: [{
				...what, uuid: what.body.uuid, owner: this.#owner ?? null, at: new Date().toISOString(), attempts: 0,
				state: 'waiting', order: 1 + Math.max(0, ...entries.map((entry) => entry.order)),
			}],
		}));
		this.#channel.postMessage({ project: what.project, kind: what.kind, subject: what.subject });
		this.sendNow();
	}

	/** How the entry named uuid ends. @param {string} uuid @returns {Promise<'pending'|api.Task>} */
	#outcome(uuid) {
		return new Promise((resolve, reject) => {
			const listening = new AbortController();
			const end = (/** @type {() => void} */ settle) => {
				listening.abort();
				settle();
			};
			const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ then) =>
				this.addEventListener(type, (event) => then(/** @type {CustomEvent} */ (event).detail),
					{ signal: listening.signal });
			on('sent', ({ entry, reply }) => entry.uuid === uuid && end(() => resolve(reply.task)));
			on('refused', ({ entry }) => entry.uuid === uuid &&
				end(() => reject(new api.ApiError(entry.status, entry.reason))));
			on('change', () => this.trouble !== null && end(() => resolve('pending')));
			setTimeout(() => end(() => resolve('pending')), 5_000);
		});
	}

	/** @param {Entry} entry */
	#isMine(entry) {
		return entry.owner === null || entry.owner === this.#owner;
	}

	#read() {
		return this.#update(() => ({}));
	}

	/** @param {(entries: Entry[]) => import('./store.js').Change} decide */
	async #update(decide) {
		this.#entries = await (await this.#store).update(decide);
		this.#emit('change');
	}

	/** @param {string} type @param {object} [detail] */
	#emit(type, detail = {}) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}
}
