/** The landing page: what topi is, and the projects one can help with. */
import * as api from './api.js';
import { drawing, el } from './dom.js';
import { setShortcuts } from './help.js';
import { inLanguage, t } from './lang.js';

/** @param {import('./api.js').ProjectSummary} project */
function card(project) {
	const { n_subjects, n_retired, n_open } = project;
	const title = inLanguage(project.title, project.titles);
	const isDone = n_open === 0;
	const progress = el('progress', { max: Math.max(1, n_subjects), value: n_retired, 'aria-label': t('projects.share') });
	const numbers = n_subjects === 0 ? t('projects.no_photographs') :
		t('projects.labelled', { labelled: n_retired, n: n_subjects }) + (isDone ? '' : ` · ${t('projects.open', { n: n_open })}`);
	return el('li', { class: 'card' },
		el('h3', {}, title),
		project.description ? el('p', {}, inLanguage(project.description, project.descriptions)) : null,
		progress, el('p', { class: 'hint' }, numbers),
		el('a', { class: isDone ? 'button' : 'button primary', href: `#/p/${encodeURIComponent(project.slug)}` },
			t(isDone ? 'projects.look' : 'projects.start'), el('span', { class: 'sr' }, `: ${title}`)));
}

/**
 * @param {HTMLElement} main
 * @param {import('./account.js').Account} account
 * @returns {Promise<() => void>} leaves the screen
 */
export async function showProjects(main, account) {
	setShortcuts(() => []);
	const list = el('section', { class: 'projects', 'aria-labelledby': 'projects-title' },
		el('h2', { id: 'projects-title' }, t('projects.title')), el('p', { class: 'hint' }, t('main.loading')));
	const mine = el('p', { class: 'mine' });
	const hero = el('section', { class: 'hero' },
		el('div', { class: 'words' },
			el('h1', { tabIndex: -1 }, t('projects.who')),
			el('p', {}, t('projects.about')),
			mine),
		drawing('savanna'));
	main.replaceChildren(el('div', { class: 'landing' }, hero, list));
	const count = () => {
		const n = account.me?.n_answers ?? 0;
		mine.replaceChildren(...n > 0 ? [t('projects.given', { n }), ' ', el('a', { href: '#/me' }, t('me.title'))] : [t('projects.no_account')]);
	};
	account.addEventListener('change', count);
	count();

	const load = async () => {
		try {
			const projects = await api.listProjects();
			list.replaceChildren(el('h2', { id: 'projects-title' }, t('projects.title')),
				projects.length > 0 ? el('ul', { class: 'project-cards' }, ...projects.map(card)) :
					el('div', { class: 'empty' }, el('p', {}, t('projects.none')),
						el('p', { class: 'hint' }, t('projects.add', { command: 'topi project add' }))));
		} catch (cause) {
			list.replaceChildren(el('h2', { id: 'projects-title' }, t('projects.title')),
				el('div', { class: 'empty', role: 'alert' },
					el('p', {}, t('projects.failed', { problem: /** @type {Error} */ (cause).message })),
					el('button', { type: 'button', class: 'primary', on: { click: load } }, t('main.again'))));
		}
	};
	await load();
	return () => account.removeEventListener('change', count);
}
