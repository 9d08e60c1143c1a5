/** The page: who one is, what waits to be sent, and which screen the address asks for (#/ or #/p/SLUG). */
import { Account, showAccount } from './account.js';
import { ApiError } from './api.js';
import { drawing, el, isTyping, sleep } from './dom.js';
import { openHelp } from './help.js';
import { showLabel } from './label.js';
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
let visit = 0;

/** Shows the screen that the address names; of two quick changes the later wins. */
async function route() {
	const mine = ++visit;
	leave();
	leave = () => {};
	clearProblems();
	document.title = 'topi';
	document.body.dataset.screen = 'wait';
	const slug = /^#\/p\/([^/]+)$/.exec(location.hash)?.[1];
	try {
		if (!account.me)
			await account.refresh();
		document.body.dataset.screen = slug ? 'label' : 'projects';
		const leaveThis = slug ?
			await showLabel(main, decodeURIComponent(slug), account, outbox) : await showProjects(main, account);
		if (mine === visit)
			leave = leaveThis;
		else
			leaveThis();
	} catch (cause) {
		if (!(cause instanceof ApiError))
			throw cause;
		if (mine !== visit)
			return;
		showUnreachable(cause);
		if (cause.isFinal)
			return;
		await sleep(5_000);
		if (mine === visit)
			route();
	}
}

/** @param {ApiError} cause */
function showUnreachable(cause) {
	document.body.dataset.screen = 'wait';
	main.replaceChildren(el('section', { class: 'empty', role: 'alert' }, drawing('dusk'),
		el('h1', { tabIndex: -1 }, cause.status === 404 ? 'No such project' : 'This page could not be loaded'),
		el('p', {}, `${cause.message.charAt(0).toUpperCase()}${cause.message.slice(1)}.` +
			(cause.isFinal ? '' : ' It is tried again every few seconds; answers already given are safe in this browser.')),
		el('div', { class: 'row' },
			el('button', { type: 'button', class: 'primary', on: { click: route } }, 'Try again'),
			el('a', { class: 'button', href: '#/' }, 'All projects'))));
}

addEventListener('unhandledrejection', (event) => showError(event.reason, 'Something in this page went wrong'));
addEventListener('hashchange', async () => {
	scrollTo(0, 0);
	await route();
	main.querySelector('h1')?.focus();
});
document.addEventListener('keydown', (event) => {
	if (event.key === '?' && !event.defaultPrevented && !isTyping(event.target))
		openHelp();
});
byId('help').addEventListener('click', openHelp);
showSending(outbox, /** @type {HTMLButtonElement} */ (byId('sending')));
showAccount(account, byId('account'));
route();
