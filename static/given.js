/**
 * The last answers of this tab, so that they can be taken back, also after a reload.
 *
 * @typedef {{uuid: string, task: import('./api.js').Task, label: string, at: string,
 *            body: import('./api.js').Classification}} One
 */

export const MOST = 10;

export class Given {
	#key;
	#volunteer;
	/** @type {One[]} the newest last */
	list = [];

	/** @param {string} slug @param {boolean} isExpert @param {number|undefined} volunteer nobody else's answers are recalled */
	constructor(slug, isExpert, volunteer) {
		this.#key = `topi.given.${slug}.${isExpert ? 'expert' : 'people'}`;
		this.#volunteer = volunteer;
		try {
			const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? 'null');
			if (kept && kept.volunteer === volunteer)
				this.list = kept.given;
		} catch {
			// See #keep.
		}
	}

	get last() {
		return this.list.at(-1);
	}

	/** @param {string} uuid */
	find(uuid) {
		return this.list.find((one) => one.uuid === uuid);
	}

	/** @param {One} one */
	add(one) {
		this.list = [...this.list, one].slice(-MOST);
		this.#keep();
	}

	/** @param {string} uuid */
	remove(uuid) {
		this.list = this.list.filter((one) => one.uuid !== uuid);
		this.#keep();
	}

	#keep() {
		try {
			sessionStorage.setItem(this.#key, JSON.stringify({ volunteer: this.#volunteer, given: this.list }));
		} catch {
			// Not kept over a reload then; the answers themselves are the outbox's.
		}
	}
}
