/**
 * The only module that talks to the server (docs/api.md). Every function resolves to the reply's JSON or throws an
 * ApiError that says what went wrong in one line.
 *
 * @typedef {{id: number, name: string|null, anonymous: boolean, admin: boolean,
 *            roles: Record<string, string[]>, n_answers: number}} Me
 * @typedef {{slug: string, title: string, description: string, n_subjects: number, n_open: number,
 *            n_retired: number}} ProjectSummary
 * @typedef {import('./lang.js').Names} Names
 * @typedef {{id: number, code: string, kind: 'animal'|'blank'|'human'|'vehicle', common_name: string,
 *            scientific_name: string, hotkey: string, names?: Names, picture?: string, looks?: Record<string, string[]>}} Taxon
 * @typedef {{count?: boolean, young?: boolean, sex?: boolean, life_stage?: boolean, behaviours?: string[],
 *            behaviour_names?: Record<string, Names>}} Survey
 * @typedef {ProjectSummary & {taxa: Taxon[], survey: Survey, looks?: import('./looks.js').Characteristic[],
 *            confusions?: import('./compare.js').Confusion[], pages?: {name: string, languages: string[]}[]}} Project
 * @typedef {{id: number, url: string, thumb: string, width: number, height: number}} Frame
 * @typedef {{task: number, subject: number, expires: string, guess: number|null, frames: Frame[],
 *            likely?: number[]}} Task
 * @typedef {{taxon: number, count: number|null, young?: boolean, behaviours?: string[], sex?: string,
 *            life_stage?: string}} Named
 * @typedef {{uuid: string, subject: number, answer: 'taxa'|'cant_tell', taxa: Named[], several?: boolean,
 *            duration_ms: number, queue?: 'expert'}} Classification
 * @typedef {{uuid: string, counted: boolean, replay: boolean, truth?: number, truth_also?: number[], model?: number|null,
 *            others?: {n: number, shares: [taxon: number, share: number][]}}} Reply
 * @typedef {{uuid: string, subject: number, at: string, answer: 'taxa'|'cant_tell', taxa: Named[], several?: boolean,
 *            thumb?: string, may_undo: boolean}} Given
 */

import { current, isKey, t } from './lang.js';

const TIMEOUT_MS = 30_000;

/** A refusal of the server, or a failure on the way to it (status 0). */
export class ApiError extends Error {
	/** @param {number} status HTTP status, or 0 where there was no answer @param {string} message */
	constructor(status, message) {
		super(message);
		this.name = 'ApiError';
		this.status = status;
	}

	/** Asking again cannot help: the server understood and said no. */
	get isFinal() {
		return this.status >= 400 && this.status < 500 && ![401, 408, 425, 429].includes(this.status);
	}
}

/** @type {number|null} */
let serverAhead_ms = null;

/**
 * The server's clock, as near as its replies told; null where they do not. Leases end by it, and a field laptop's own
 * clock may be years off.
 */
export function serverNow() {
	return serverAhead_ms === null ? null : Date.now() + serverAhead_ms;
}

/** @param {Response} response */
function noteClock(response) {
	const told = Date.parse(response.headers.get('Date') ?? '');
	if (Number.isFinite(told))
		serverAhead_ms = told - Date.now();
}

/** The reply to what ahead.js asked: once, and none where it failed. @param {string} path @returns {Promise<Response|undefined>} */
async function taken(path) {
	/** @type {Map<string, Promise<Response>>|undefined} */
	const asked = /** @type {any} */ (globalThis).topi_asked;
	const reply = asked?.get(path);
	asked?.delete(path);
	return reply?.catch(() => undefined);
}

/** Somebody else uses the browser, or another screen is wanted: what ahead.js asked is out of date. */
export const forgetAsked = () => /** @type {any} */ (globalThis).topi_asked?.clear();

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function request(method, path, body) {
	/** @type {Response} */
	let response;
	let text;
	try {
		response = await (body && 'queue' in body ? null : taken(path)) ?? await fetch(path, {
			method,
			headers: body ? { 'X-Topi': '1', 'Content-Type': 'application/json' } : { 'X-Topi': '1' },
			body: body ? JSON.stringify(body) : undefined,
			credentials: 'same-origin',
			cache: 'no-store',
			redirect: 'error',
			signal: AbortSignal.timeout(TIMEOUT_MS),
		});
		text = await response.text();
	} catch (cause) {
		const late = cause instanceof DOMException && cause.name === 'TimeoutError';
		throw new ApiError(0, t(late ? 'api.late' : 'api.unreachable'));
	}
	noteClock(response);
	let reply = null;
	try {
		reply = JSON.parse(text);
	} catch {
		// Not the server that answered: a proxy's error page, or a network that wants a login first.
	}
	if (!response.ok)
		throw new ApiError(response.status, refusal(response.status, reply?.error));
	if (reply === null || typeof reply !== 'object')
		throw new ApiError(0, t('api.interposed'));
	return reply;
}

/** What the server's refusal means. Its own line is the more exact one, but English. @param {number} status @param {string} [line] */
function refusal(status, line) {
	const key = `api.${status}`;
	if (line && (current() === 'en' || !isKey(key)))
		return line;
	return isKey(key) ? t(key) : t('api.status', { status: String(status) });
}

/** @param {string} slug */
const project_path = (slug) => `/api/projects/${encodeURIComponent(slug)}`;

/** @returns {Promise<Me>} */
export const getMe = () => request('GET', '/api/me');

/** @param {string} name @param {string} password @returns {Promise<Me>} */
export const signUp = (name, password) => request('POST', '/api/signup', { name, password });

/** @param {string} name @param {string} password @returns {Promise<Me>} */
export const logIn = (name, password) => request('POST', '/api/login', { name, password });

/** @param {boolean} everywhere @returns {Promise<{}>} */
export const logOut = (everywhere) => request('POST', '/api/logout', everywhere ? { everywhere } : {});

/** @returns {Promise<ProjectSummary[]>} */
export const listProjects = async () => (await request('GET', '/api/projects')).projects;

/** @param {string} slug @returns {Promise<Project>} */
export const getProject = (slug) => request('GET', project_path(slug));

/**
 * Leases subjects; the tasks already held come first.
 * @param {string} slug @param {number} n 1 to 10 @param {boolean} expert
 * @returns {Promise<{tasks: Task[], reason: null|'done'|'seen'}>}
 */
export const nextTasks = (slug, n, expert) =>
	request('POST', `${project_path(slug)}/next`, expert ? { n, queue: 'expert' } : { n });

/**
 * Throws with status 0 when the reply does not acknowledge this very answer.
 * `truth` is there after some subjects whose answer is known: the taxon that an expert named; `truth_also`: the others. `model`
 * is there where the project tells what the model thinks: its taxon, or null; `others` where it tells what earlier answers were.
 * @param {string} slug @param {Classification} body
 * @returns {Promise<Reply>}
 */
export const classify = (slug, body) => acknowledged(`${project_path(slug)}/classifications`, body);

/**
 * @param {string} slug @param {{uuid: string, of: string}} body
 * @returns {Promise<{uuid: string, task: Task}>}
 */
export const undo = (slug, body) => acknowledged(`${project_path(slug)}/undo`, body);

/** @param {string} path @param {{uuid: string}} body */
async function acknowledged(path, body) {
	const reply = await request('POST', path, body);
	if (reply.uuid !== body.uuid)
		throw new ApiError(0, t('api.unacknowledged'));
	return reply;
}

/**
 * A page of the project: `guide`, `tutorial`, `guide/CODE`. `lang` is empty for the project's own language.
 * @param {string} slug @param {string} name @param {string} language
 * @returns {Promise<{markdown: string, lang: string}>}
 */
export const getPage = (slug, name, language) =>
	request('GET', `${project_path(slug)}/pages/${name.split('/').map(encodeURIComponent).join('/')}?lang=${language}`);

/**
 * Subjects with a known answer, to learn on.
 * @param {string} slug
 * @returns {Promise<{items: {frames: Frame[], taxa: number[], why: string|null}[]}>}
 */
export const getPractice = (slug) => request('GET', `${project_path(slug)}/practice?lang=${current()}`);

/** @typedef {'person'|'offensive'|'damaged'|'wrong_burst'|'favourite'} Flag */
/** @param {string} slug @param {number} subject @returns {Promise<{flags: Flag[]}>} one's own */
export const getFlags = (slug, subject) => request('GET', `${project_path(slug)}/flags?subject=${subject}`);

/** @param {string} slug @param {number} subject @param {Flag} kind @param {boolean} on @returns {Promise<{flags: Flag[]}>} */
export const setFlag = (slug, subject, kind, on) => request('POST', `${project_path(slug)}/flags`, { subject, kind, on });

/** @typedef {{id: number, name: string|null, at: string, text: string, mine: boolean, hidden: boolean, subject?: number}} Comment */
/** What is said of a subject, after one's own answer. @param {string} slug @param {number} subject @returns {Promise<{comments: Comment[]}>} */
export const getComments = (slug, subject) => request('GET', `${project_path(slug)}/comments?subject=${subject}`);

/** @param {string} slug @param {number} subject @param {string} text @returns {Promise<{id: number}>} */
export const addComment = (slug, subject, text) => request('POST', `${project_path(slug)}/comments`, { subject, text });

/** @param {string} slug @param {number} id @param {boolean} hidden @param {string} reason @returns {Promise<{}>} */
export const hideComment = (slug, id, hidden, reason) => request('POST', `${project_path(slug)}/comments/${id}`, { hidden, reason });

/**
 * What moderators look through.
 * @param {string} slug
 * @returns {Promise<{comments: (Comment & {subject: number})[], flags: {subject: number, kind: Flag, n: number, thumb?: string}[]}>}
 */
export const getModeration = (slug) => request('GET', `${project_path(slug)}/moderation`);

/** Flags of a kind were looked at. @param {string} slug @param {number} subject @param {Flag} kind @returns {Promise<{}>} */
export const closeFlags = (slug, subject, kind) => request('POST', `${project_path(slug)}/moderation`, { subject, kind });

/**
 * One's own last answers, newest first.
 * @param {string} slug @param {number} n
 * @returns {Promise<{answers: Given[]}>}
 */
export const getAnswers = (slug, n) => request('GET', `${project_path(slug)}/answers?n=${n}`);

/** Gives leases back. @param {string} slug @param {number[]} subjects @returns {Promise<{}>} */
export const release = (slug, subjects) => request('POST', `${project_path(slug)}/release`, { subjects });

/**
 * @typedef {{n_answers: number, days: {date: string, n: number}[], projects: {slug: string, title: string, n_answers: number,
 *            skill: {p: number, low: number, high: number}|null, species: {taxon: number, name: string, n: number}[],
 *            best: {taxon: number, name: string, p: number, low: number, high: number, n: number}[],
 *            mixed: {truth: number, truth_name: string, said: number, said_name: string, n: number}[]}[],
 *            favourites: {slug: string, subject: number, thumb?: string}[]}} MyPage
 */
/** @returns {Promise<MyPage>} */
export const getMyPage = () => request('GET', '/api/me/page');

/** @param {string} old @param {string} next @returns {Promise<{}>} */
export const changePassword = (old, next) => request('POST', '/api/me/password', { old, new: next });

/** @param {string|null} password null: there is no account @param {'keep'|'take'} answers @returns {Promise<{}>} */
export const deleteMe = (password, answers) => request('POST', '/api/me/delete', { password, answers });

/** @param {string} token @param {string} password @returns {Promise<Me>} */
export const acceptInvite = (token, password) => request('POST', '/api/invite', { token, password });
