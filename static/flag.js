/** Flags of a subject: what must not be shown, what is broken, and what one likes. */
import * as api from './api.js';
import { el } from './dom.js';
import { t } from './lang.js';

/** @type {api.Flag[]} */
const KINDS = ['person', 'offensive', 'damaged', 'wrong_burst', 'favourite'];

/** @param {import('./api.js').Project} project @param {number} subject */
export async function openFlag(project, subject) {
	const refusal = el('p', { class: 'refusal', role: 'alert' });
	const told = el('p', { class: 'sr', role: 'status' });
	const boxes = KINDS.map((kind) => {
		const box = el('input', { type: 'checkbox', disabled: true, on: { change: () => change(kind) } });
		return { kind, box };
	});
	/** @param {api.Flag[]} flags */
	const draw = (flags) => {
		for (const { kind, box } of boxes) {
			box.checked = flags.includes(kind);
			box.disabled = false;
		}
	};
	/** @param {() => Promise<{flags: api.Flag[]}>} ask */
	const attempt = async (ask) => {
		refusal.textContent = '';
		try {
			draw((await ask()).flags);
			return true;
		} catch (cause) {
			refusal.textContent = t('flag.failed', { problem: /** @type {Error} */ (cause).message });
			return false;
		}
	};
	const change = async (/** @type {api.Flag} */ kind) => {
		const { box } = /** @type {{box: HTMLInputElement}} */ (boxes.find((one) => one.kind === kind));
		const { checked } = box;
		if (await attempt(() => api.setFlag(project.slug, subject, kind, checked)))
			told.textContent = t(checked ? 'flag.set' : 'flag.taken');
		else
			box.checked = !checked;
	};
	const dialog = el('dialog', { class: 'flags', 'aria-labelledby': 'flag-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'flag-title' }, t('flag.title')),
		...boxes.map(({ kind, box }) => el('label', { class: 'flag' }, box,
			el('span', {}, el('strong', {}, t(`flag.${kind}`)), el('small', {}, t(`flag.${kind}_about`))))),
		refusal, told,
		el('form', { method: 'dialog' }, el('button', { class: 'primary' }, t('main.close'))));
	document.body.append(dialog);
	dialog.showModal();
	await attempt(() => api.getFlags(project.slug, subject));
	boxes[0].box.focus();
}
