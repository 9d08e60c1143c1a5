/** English, the language that every other falls back to. Keys are `module.what`, in the order of the modules' names. */
/** @satisfies {Record<string, import('../lang.js').Text>} */
export const words = {
	'project.all': 'All projects',
};
