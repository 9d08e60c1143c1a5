/**
 * Where answers wait in this browser until the server has them: IndexedDB, else localStorage, else (both forbidden)
 * the page's memory. A change is one atomic step also when several tabs are open.
 *
 * @typedef {{uuid: string, order: number, project: string, owner: number|null, kind: 'answer'|'undo',
 *            subject: number, label: string, at: string, body: any, attempts: number,
 *            state: 'waiting'|'refused', status?: number, reason?: string}} Entry
 * @typedef {{put?: Entry[], remove?: string[]}} Change
 * @typedef {{kind: 'indexeddb'|'localstorage'|'memory',
 *            update: (decide: (entries: Entry[]) => Change) => Promise<Entry[]>}} Store
 */

const NAME = 'topi';
const TABLE = 'outbox';
const PREFIX = 'topi.outbox.';

/** @param {Entry[]} entries */
const inOrder = (entries) => entries.sort((a, b) => a.order - b.order);

/** @param {Entry[]} entries @param {Change} change */
function applied(entries, change) {
	const byId = new Map(entries.map((entry) => [entry.uuid, entry]));
	for (const entry of change.put ?? [])
		byId.set(entry.uuid, entry);
	for (const uuid of change.remove ?? [])
		byId.delete(uuid);
	return inOrder([...byId.values()]);
}

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
	return new Promise((resolve, reject) => {
		const opening = indexedDB.open(NAME, 1);
		opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE, { keyPath: 'uuid' });
		opening.onsuccess = () => resolve(opening.result);
		opening.onerror = () => reject(opening.error);
		opening.onblocked = () => reject(new Error('another tab holds the database'));
	});
}

/** @param {IDBDatabase} db @returns {Store} */
function indexedStore(db) {
	return {
		kind: 'indexeddb',
		update: (decide) => new Promise((resolve, reject) => {
			const transaction = db.transaction(TABLE, 'readwrite');
			const table = transaction.objectStore(TABLE);
			/** @type {Entry[]} */
			let after = [];
			const reading = table.getAll();
			reading.onsuccess = () => {
				const before = inOrder(reading.result);
				const change = decide(before);
				for (const entry of change.put ?? [])
					table.put(entry);
				for (const uuid of change.remove ?? [])
					table.delete(uuid);
				after = applied(before, change);
			};
			transaction.oncomplete = () => resolve(after);
			transaction.onabort = () => reject(transaction.error ?? new Error('the browser stopped the write'));
		}),
	};
}

/** One key an entry, so that two tabs that write at once only meet in the same entry. @returns {Entry[]} */
function readLocal() {
	const entries = [];
	for (let i = 0; i < localStorage.length; i++) {
		const key = localStorage.key(i) ?? '';
		if (key.startsWith(PREFIX))
			entries.push(JSON.parse(localStorage.getItem(key) ?? 'null'));
	}
	return inOrder(entries.filter((entry) => entry !== null));
}

/** @returns {Store} */
function localStore() {
	return {
		kind: 'localstorage',
		update: async (decide) => {
			const before = readLocal();
			const change = decide(before);
			for (const entry of change.put ?? [])
				localStorage.setItem(PREFIX + entry.uuid, JSON.stringify(entry));
			for (const uuid of change.remove ?? [])
				localStorage.removeItem(PREFIX + uuid);
			return applied(before, change);
		},
	};
}

/** @returns {Store} */
function memoryStore() {
	/** @type {Entry[]} */
	let entries = [];
	return {
		kind: 'memory',
		update: async (decide) => (entries = applied(entries, decide(entries))),
	};
}

/** Opens the best store there is; what an earlier visit had to leave in localStorage moves along. @returns {Promise<Store>} */
export async function openStore() {
	let store = memoryStore();
	try {
		localStorage.setItem(PREFIX + 'probe', 'null');
		localStorage.removeItem(PREFIX + 'probe');
		store = localStore();
	} catch {
		// Storage is forbidden here; the page says so (see sending.js).
	}
	try {
		const indexed = indexedStore(await openDatabase());
		const left = store.kind === 'localstorage' ? readLocal() : [];
		await indexed.update(() => ({ put: left }));
		for (const entry of left)
			localStorage.removeItem(PREFIX + entry.uuid);
		return indexed;
	} catch {
		return store;
	}
}
