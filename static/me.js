/**
 * One's own page: what one gave and saw, how well one knows it where that is known, what one marked, and one's data.
 *
 * @typedef {import('./api.js').MyPage} MyPage
 * @typedef {MyPage['projects'][number]} MyProject
 * @typedef {(id: number, name: string) => string} NameOf
 */
import * as api from './api.js';
import { nameOf } from './confirm.js';
import { el } from './dom.js';
import { setShortcuts } from './help.js';
import { date, inLanguage, number, t } from './lang.js';
import { openDelete, openPassword } from './mine.js';
import { showError } from './notice.js';

const DAY_MS = 86_400_000;
const N_DAYS = 60;
const RECENT = 14;
const HEIGHTS = 5;

/** @param {Date} day */
const iso = (day) => day.toISOString().slice(0, 10);
/** @param {number} p */
const percent = (p) => number(p, { style: 'percent', maximumFractionDigits: 0 });

/** The last days as bars; in words what they show. @param {MyPage['days']} days */
function calendar(days) {
	const byDay = new Map(days.map((day) => [day.date, day.n]));
	const all = Array.from({ length: N_DAYS }, (_, i) => new Date(Date.now() - (N_DAYS - 1 - i) * DAY_MS));
	const most = Math.max(1, ...byDay.values());
	const n_recent = all.slice(-RECENT).filter((day) => byDay.has(iso(day))).length;
	return el('section', { 'aria-labelledby': 'days-title' }, el('h2', { id: 'days-title' }, t('me.days')),
		el('p', {}, t('me.recent', { n: n_recent, of: RECENT })),
		el('div', { class: 'days', 'aria-hidden': 'true' }, ...all.map((day) => {
			const n = byDay.get(iso(day)) ?? 0;
			return el('span', {
				class: `day h${n && Math.max(1, Math.ceil(HEIGHTS * n / most))}`,
				title: `${date(day, { dateStyle: 'medium', timeZone: 'UTC' })}: ${t('me.answers', { n })}`,
			});
		})));
}

/** @param {string} title @param {(Node|string)[][]} rows @param {string} [about] */
function listed(title, rows, about) {
	return rows.length === 0 ? null : el('section', {}, el('h3', {}, title), about ? el('p', { class: 'hint' }, about) : null,
		el('ul', { class: 'tally' }, ...rows.map((row) => el('li', {}, ...row))));
}

/** @param {MyProject} mine @param {api.Project|null} project */
function projectPart(mine, project) {
	/** @type {NameOf} */
	const named = (id, name) => {
		const taxon = project?.taxa.find((one) => one.id === id);
		return taxon ? nameOf(taxon) : name;
	};
	const title = project ? inLanguage(project.title, project.titles) : mine.title;
	const { skill } = mine;
	return el('article', { class: 'card' }, el('h2', {}, title),
		el('p', {}, t('me.answers', { n: mine.n_answers })),
		el('p', {}, skill ? t('me.skill', { p: percent(skill.p), low: percent(skill.low), high: percent(skill.high) }) : t('me.no_skill')),
		listed(t('me.species'), mine.species.map((one) => [named(one.taxon, one.name), ' ', el('b', {}, number(one.n))])),
		listed(t('me.best'), mine.best.map((one) => [named(one.taxon, one.name), ' ',
			el('b', {}, percent(one.p)), ' ', el('small', {}, t('me.between', { low: percent(one.low), high: percent(one.high) }))])),
		listed(t('me.mixed'), mine.mixed.map((one) => [
			t('me.mixed_one', { truth: named(one.truth, one.truth_name), said: named(one.said, one.said_name), n: one.n })]), t('me.mixed_about')),
		el('a', { class: 'button', href: `#/p/${encodeURIComponent(mine.slug)}` }, t('me.go_on'), el('span', { class: 'sr' }, `: ${title}`)));
}

/** @param {MyPage['favourites']} favourites */
function favouritesPart(favourites) {
	const seen = favourites.filter((one) => one.thumb);
	return seen.length === 0 ? null : el('section', {}, el('h2', {}, t('me.favourites')),
		el('ul', { class: 'favourites' }, ...seen.map((one, i) =>
			el('li', {}, el('img', { src: one.thumb, alt: t('me.favourite', { i: i + 1 }), loading: 'lazy', width: 160, height: 120 })))));
}

/** @param {import('./account.js').Account} account */
function dataPart(account) {
	const isAnonymous = account.me?.anonymous;
	const leave = (/** @type {boolean} */ everywhere) => account.leave(everywhere).then(() => {
		location.hash = '#/';
	}).catch((cause) => showError(cause, t('account.logout_failed')));
	const button = (/** @type {string} */ text, /** @type {() => void} */ click) => el('button', { type: 'button', on: { click } }, text);
	return el('section', { 'aria-labelledby': 'data-title' }, el('h2', { id: 'data-title' }, t('me.data')),
		el('p', { class: 'hint' }, t('me.data_about')),
		el('div', { class: 'row' },
			el('a', { class: 'button', href: '/api/me/export', download: 'topi.json' }, t('me.export')),
			...isAnonymous ? [] : [button(t('mine.password'), openPassword), button(t('account.logout'), () => leave(false)),
				button(t('me.everywhere'), () => leave(true))],
			button(t('mine.delete'), () => openDelete(account))));
}

/**
 * @param {HTMLElement} main @param {import('./account.js').Account} account @param {AbortSignal} signal another screen is wanted
 * @returns {Promise<() => void>} leaves the screen
 */
export async function showMe(main, account, signal) {
	const page = await api.getMyPage();
	const projects = await Promise.all(page.projects.map((mine) => api.getProject(mine.slug).catch(() => null)));
	signal.throwIfAborted();
	setShortcuts(() => []);
	document.title = `${t('me.title')} · topi`;
	main.replaceChildren(el('div', { class: 'landing me' },
		el('header', {}, el('h1', { tabIndex: -1 }, account.me?.name ?? t('me.title')),
			el('p', { class: 'mine' }, page.n_answers > 0 ? t('projects.given', { n: page.n_answers }) : t('me.none'))),
		page.days.length > 0 ? calendar(page.days) : '',
		el('div', { class: 'my-projects' }, ...page.projects.map((mine, i) => projectPart(mine, projects[i]))),
		favouritesPart(page.favourites) ?? '', dataPart(account)));
	return () => {};
}
