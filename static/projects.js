/** The landing page: what topi is, and the projects one can help with. */
import * as api from './api.js';
import { drawing, el, plural } from './dom.js';
import { setShortcuts } from './help.js';

/** @param {import('./api.js').ProjectSummary} project */
function card(project) {
	const { n_subjects, n_retired, n_open } = project;
	const isDone = n_open === 0;
	const progress = el('progress', { max: Math.max(1, n_subjects), value: n_retired, 'aria-label': 'Share labelled' });
	const numbers = n_subjects === 0 ? 'No photographs yet.' :
		`${n_retired.toLocaleString('en')} of ${plural(n_subjects, 'sighting')} labelled` +
		(isDone ? '' : ` · ${n_open.toLocaleString('en')} wait for you`);
	return el('li', { class: 'card' },
		el('h3', {}, project.title),
		project.description ? el('p', {}, project.description) : null,
		progress, el('p', { class: 'hint' }, numbers),
		el('a', { class: isDone ? 'button' : 'button primary', href: `#/p/${encodeURIComponent(project.slug)}` },
			isDone ? 'Have a look' : 'Start labelling', el('span', { class: 'sr' }, `: ${project.title}`)));
}

/**
 * @param {HTMLElement} main
 * @param {import('./account.js').Account} account
 * @returns {Promise<() => void>} leaves the screen
 */
export async function showProjects(main, account) {
	setShortcuts(() => []);
	const list = el('section', { class: 'projects', 'aria-labelledby': 'projects-title' },
		el('h2', { id: 'projects-title' }, 'Projects'), el('p', { class: 'hint' }, 'Loading …'));
	const mine = el('p', { class: 'mine' });
	const hero = el('section', { class: 'hero' },
		el('div', { class: 'words' },
			el('h1', { tabIndex: -1 }, 'Who walked past the camera?'),
			el('p', {}, 'Camera traps watch over wild animals and take thousands of pictures. Look at a few, say what you see: ' +
				'your answers, together with those of others, become labels that researchers can trust.'),
			mine),
		drawing('savanna'));
	main.replaceChildren(el('div', { class: 'landing' }, hero, list));
	const count = () => {
		const n = account.me?.n_answers ?? 0;
		mine.textContent = n > 0 ? `You have given ${plural(n, 'answer')}. Thank you!` : 'No account is needed to begin.';
	};
	account.addEventListener('change', count);
	count();

	const load = async () => {
		try {
			const projects = await api.listProjects();
			list.replaceChildren(el('h2', { id: 'projects-title' }, 'Projects'),
				projects.length > 0 ? el('ul', { class: 'cards' }, ...projects.map(card)) :
					el('div', { class: 'empty' }, el('p', {}, 'There is no project yet.'),
						el('p', { class: 'hint' }, 'Whoever runs this server adds one with ', el('code', {}, 'topi project add'), '.')));
		} catch (cause) {
			list.replaceChildren(el('h2', { id: 'projects-title' }, 'Projects'),
				el('div', { class: 'empty', role: 'alert' },
					el('p', {}, `The projects could not be loaded: ${/** @type {Error} */ (cause).message}.`),
					el('button', { type: 'button', class: 'primary', on: { click: load } }, 'Try again')));
		}
	};
	await load();
	return () => account.removeEventListener('change', count);
}
