/** The page: who one is, what waits to be sent, and which screen the address asks for. */
import { Account, showAccount } from './account.js';
import { ApiError, forgetAsked } from './api.js';
import { drawing, el, isTyping, sleep } from './dom.js';
import { openHelp } from './help.js';
import { showLabel } from './label.js';
import { chooseLanguage, current, keepLanguage, languages, nameOfLanguage, sentence, t } from './lang.js';
import { showMe } from './me.js';
import { showInvite } from './mine.js';
import { clearProblems, showError } from './notice.js';
import { Outbox } from './outbox.js';
import { showProjects } from './projects.js';
import { showSending } from './sending.js';

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const main = byId('main');
const outbox = new Outbox();
const account = new Account(outbox);
let leave = () => {};
let visit = new AbortController();

/** The screen that the address names: #/, #/p/SLUG, #/me, #/invite/TOKEN. @returns {[name: string, show: (signal: AbortSignal) => Promise<() => void>]} */
function asked() {
	const [, name, what] = /^#\/(p|me|invite)(?:\/([^/]+))?$/.exec(location.hash) ?? [];
	if (name === 'p' && what)
		return ['label', (signal) => showLabel(main, decodeURIComponent(what), account, outbox, signal)];
	if (name === 'me')
		return ['me', (signal) => showMe(main, account, signal)];
	if (name === 'invite' && what)
		return ['invite', async () => showInvite(main, decodeURIComponent(what), account)];
	return ['projects', () => showProjects(main, account)];
}

/** Shows the screen that the address names; of two quick changes the later wins, whichever reply comes first. */
async function route() {
	visit.abort();
	visit = new AbortController();
	const { signal } = visit;
	leave();
	leave = () => {};
	clearProblems();
	document.title = 'topi';
	document.body.dataset.screen = 'wait';
	const [screen, show] = asked();
	try {
		if (!account.me)
			await account.refresh();
		signal.throwIfAborted();
		document.body.dataset.screen = screen;
		const leaveThis = await show(signal);
		if (signal.aborted)
			leaveThis();
		else
			leave = leaveThis;
	} catch (cause) {
		if (signal.aborted)
			return;
		if (!(cause instanceof ApiError))
			throw cause;
		showUnreachable(cause);
		if (cause.isFinal)
			return;
		await sleep(5_000);
		if (!signal.aborted)
			route();
	}
}

/** @param {ApiError} cause */
function showUnreachable(cause) {
	document.body.dataset.screen = 'wait';
	main.replaceChildren(el('section', { class: 'empty', role: 'alert' }, drawing('dusk'),
		el('h1', { tabIndex: -1 }, t(cause.status === 404 ? 'main.no_project' : 'main.no_page')),
		el('p', {}, sentence(cause.message) + (cause.isFinal ? '' : ` ${t('main.retried')}`)),
		el('div', { class: 'row' },
			el('button', { type: 'button', class: 'primary', on: { click: route } }, t('main.again')),
			el('a', { class: 'button', href: '#/' }, t('main.all')))));
}

addEventListener('unhandledrejection', (event) => showError(event.reason, t('main.fault')));
addEventListener('hashchange', async () => {
	forgetAsked();
	for (const dialog of /** @type {NodeListOf<HTMLDialogElement>} */ (document.querySelectorAll('dialog[open]')))
		dialog.close(); // it was about the screen that is left
	scrollTo(0, 0);
	await route();
	main.querySelector('h1')?.focus();
});
document.addEventListener('keydown', (event) => {
	if (event.key === '?' && !event.defaultPrevented && !isTyping(event.target))
		openHelp();
});
byId('help').addEventListener('click', openHelp);
byId('skip').addEventListener('click', () => {
	const answers = main.querySelector('.confirm:not([hidden]) .choice, .answers:not([hidden]) .taxa .choice[tabindex="0"]');
	const to = answers ?? main.querySelector('h1');
	/** @type {HTMLElement|null} */ (to)?.focus();
});

/** What stands in the page's own head, in the language in use. */
function dress() {
	main.querySelector('.wait')?.replaceChildren(t('main.loading'));
	byId('skip').textContent = t('main.skip');
	byId('home').setAttribute('aria-label', t('main.home'));
	byId('help').setAttribute('aria-label', t('help.title'));
	byId('help').title = t('main.keys');
	byId('language').setAttribute('aria-label', t('main.language'));
}

const choice = /** @type {HTMLSelectElement} */ (byId('language'));
choice.addEventListener('change', async () => {
	await keepLanguage(choice.value).catch((cause) => showError(cause));
	choice.value = current();
	dress();
	account.dispatchEvent(new Event('change'));
	outbox.dispatchEvent(new Event('change'));
	route();
});

await chooseLanguage().catch(() => null); // English then
choice.append(...languages.map((code) => el('option', { value: code, lang: code }, nameOfLanguage(code))));
choice.value = current();
choice.hidden = languages.length < 2;
dress();
showSending(outbox, /** @type {HTMLButtonElement} */ (byId('sending')));
showAccount(account, byId('account'));
route();
