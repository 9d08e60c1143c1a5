/** What the outbox holds, as a quiet note in the page's head and a list behind it. */
import { el } from './dom.js';
import { number, sentence, t, when } from './lang.js';

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
			n_waiting > 0 ? t('sending.waits', { n: n_waiting }) : '',
			n_refused > 0 ? t('sending.refused', { n: n_refused }) : '',
			n_held > 0 ? t('sending.held', { n: n_held }) : '',
		].filter((part) => part !== '');
		note.replaceChildren(el('span', { class: 'long' }, parts.join(' · ')),
			el('span', { class: 'short', 'aria-hidden': 'true' }, `↑ ${number(n_waiting + n_refused + n_held)}`));
		note.setAttribute('aria-label', parts.join(', '));
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
	return el('li', {}, el('strong', {}, entry.label), ` · ${when(new Date(entry.at))}`, ...after);
}

/** @param {string} text @param {import('./store.js').Entry} entry @param {() => void} click */
function button(text, entry, click) {
	return el('button', { type: 'button', 'aria-label': `${text}: ${entry.label}`, on: { click } }, text);
}

/** @param {import('./outbox.js').Outbox} outbox */
function openList(outbox) {
	const body = el('div', { class: 'kept' });
	const send = el('button', { type: 'button', class: 'primary', on: { click: () => outbox.sendNow() } }, t('sending.now'));
	const dialog = el('dialog', { class: 'sending', 'aria-labelledby': 'sending-title' },
		el('h2', { id: 'sending-title' }, t('sending.title')), body,
		el('div', { class: 'row' }, send,
			el('button', { type: 'button', on: { click: () => dialog.close() } }, t('main.close'))));
	const draw = () => {
		const { waiting, refused, held } = outbox;
		const hadFocus = body.contains(document.activeElement);
		const keeping = t(outbox.storage === 'memory' ? 'sending.memory' : 'sending.kept');
		send.hidden = waiting.length === 0;
		body.replaceChildren(
			waiting.length + held.length + refused.length > 0 ? '' : el('p', {}, t('sending.all')),
			waiting.length === 0 ? '' : el('section', {},
				el('h3', {}, t('sending.waiting', { n: waiting.length })),
				el('p', { class: 'hint' }, outbox.trouble ? `${t('sending.not_yet', { problem: outbox.trouble })} ` : '', keeping),
				el('ul', {}, ...waiting.map((entry) => row(entry)))),
			held.length === 0 ? '' : el('section', {},
				el('h3', {}, t('sending.another', { n: held.length })),
				el('p', { class: 'hint' }, t('sending.another_about')),
				el('ul', {}, ...held.map((entry) => row(entry)))),
			refused.length === 0 ? '' : el('section', {},
				el('h3', {}, t('sending.refused_title', { n: refused.length })),
				el('p', { class: 'hint' }, t('sending.refused_about')),
				el('ul', {}, ...refused.map((entry) => row(entry, el('em', {}, sentence(entry.reason ?? '')), el('div', { class: 'row' },
					button(t('main.again'), entry, () => outbox.retry(entry.uuid)),
					button(t('sending.away'), entry, () => outbox.dismiss(entry.uuid))))))));
		if (hadFocus)
			dialog.querySelector('button:not([hidden])')?.focus(); // the one that was pressed is gone
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
