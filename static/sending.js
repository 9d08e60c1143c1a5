/** What the outbox holds, as a quiet note in the page's head and a list behind it. */
import { el, plural } from './dom.js';

/**
 * @param {import('./outbox.js').Outbox} outbox
 * @param {HTMLButtonElement} note
 */
export function showSending(outbox, note) {
	/** @type {ReturnType<typeof setTimeout>|undefined} */
	let timer;
	const draw = () => {
		const [n_waiting, n_refused, n_held] = [outbox.waiting.length, outbox.refused.length, outbox.held.length];
		const parts = [
			n_waiting > 0 ? `${plural(n_waiting, 'answer')} ${n_waiting === 1 ? 'waits' : 'wait'} to be sent` : '',
			n_refused > 0 ? `${n_refused} not accepted` : '',
			n_held > 0 ? `${n_held} of another account` : '',
		].filter((part) => part !== '');
		note.textContent = parts.join(' · ');
		note.hidden = parts.length === 0;
		note.classList.toggle('alarming', n_refused > 0);
	};
	// An answer that goes out at once is no news: only what still waits a moment later is shown.
	outbox.addEventListener('change', () => {
		clearTimeout(timer);
		timer = setTimeout(draw, outbox.trouble === null && outbox.refused.length === 0 ? 400 : 0);
	});
	note.addEventListener('click', () => openList(outbox));
	addEventListener('beforeunload', (event) => {
		if (outbox.storage === 'memory' && outbox.waiting.length > 0)
			event.preventDefault(); // this browser may not keep anything: leaving now would lose them
	});
}

/** @param {import('./store.js').Entry} entry @param {...(Node|string)} after */
function row(entry, ...after) {
	const when = new Date(entry.at).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });
	return el('li', {}, el('span', {}, el('strong', {}, entry.label), ` · ${when}`), ...after);
}

/** @param {import('./outbox.js').Outbox} outbox */
function openList(outbox) {
	const body = el('div', {});
	const dialog = el('dialog', { class: 'sending', 'aria-labelledby': 'sending-title' },
		el('h2', { id: 'sending-title' }, 'Your answers'), body,
		el('div', { class: 'row' },
			el('button', { type: 'button', class: 'primary', on: { click: () => outbox.sendNow() } }, 'Send now'),
			el('button', { type: 'button', on: { click: () => dialog.close() } }, 'Close')));
	const draw = () => {
		const { waiting, refused, held } = outbox;
		const keeping = outbox.storage === 'memory' ?
			'This browser may not store anything: keep this page open until they are sent.' :
			'They are kept in this browser, also when you close it, and sent by themselves.';
		body.replaceChildren(
			waiting.length === 0 ? el('p', {}, 'Every answer has been sent.') : el('section', {},
				el('h3', {}, `Waiting (${waiting.length})`),
				el('p', { class: 'hint' }, outbox.trouble ? `Not sent yet: ${outbox.trouble}. ` : '', keeping),
				el('ul', {}, ...waiting.map((entry) => row(entry)))),
			held.length === 0 ? '' : el('section', {},
				el('h3', {}, `Of another account (${held.length})`),
				el('p', { class: 'hint' }, 'Given here before that account logged out. They are sent when it logs in again.'),
				el('ul', {}, ...held.map((entry) => row(entry)))),
			refused.length === 0 ? '' : el('section', {},
				el('h3', {}, `Not accepted (${refused.length})`),
				el('ul', {}, ...refused.map((entry) => row(entry, el('em', {}, ` ${entry.reason} `),
					el('button', { type: 'button', on: { click: () => outbox.dismiss(entry.uuid) } }, 'Dismiss'))))));
	};
	const listening = new AbortController();
	outbox.addEventListener('change', draw, { signal: listening.signal });
	dialog.addEventListener('close', () => {
		listening.abort();
		dialog.remove();
	});
	draw();
	document.body.append(dialog);
	dialog.showModal();
}
