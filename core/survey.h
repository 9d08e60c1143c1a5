/*
 * What a project asks about each species of an answer (its file's "survey"): how many, what they do, whether there are
 * young, their sex and life stage. The words of sex and life stage are Camtrap DP's; behaviours are the project's own.
 *
 * A survey: {"count": true, "young": true, "sex": true, "life_stage": true, "behaviours": ["resting", "moving"],
 * "behaviour_names": {"resting": {"fr": "se repose"}}}; what is left out or false is not asked.
 */
#pragma once

#include "status.h"

#include <jansson.h>

enum { SURVEY_MAX_BEHAVIOURS = 20, SURVEY_BEHAVIOUR = 40 };

/* Errors: BAD_INPUT with the field that is wrong and what would be right. */
enum status survey_check(const json_t *survey, struct err *err) MUST_CHECK;

/*
 * The answers to a survey's questions in one entry of an answer ("young", "behaviours", "sex", "life_stage"; other members
 * are passed over, null means not answered), as the JSON text that annotation.details keeps.
 * Shapes: survey is a project's text, entry an object or NULL. Owns: the caller frees *details.
 * Errors: BAD_INPUT the project does not ask for it, or a word that it does not have.
 */
enum status survey_details(
	const char *survey, const json_t *entry, char **details, struct err *err) MUST_CHECK;

/*
 * What a model can learn of a survey beside the species: "count" with the bins of a count, "young" and "behaviour:WORD" with
 * "no" and "yes", as [{"name": text, "classes": [texts]}]; at most SURVEY_MAX_HEADS. Owns: a new reference.
 */
enum { SURVEY_MAX_HEADS = SURVEY_MAX_BEHAVIOURS + 2 };
json_t *survey_heads(const char *survey);

/*
 * Adds one answer about a species to what was said of each head, {"count": {"2": how often, ...}, ...}; a question that the
 * answer passes over adds nothing. Shapes: survey is a project's text, count 0: none told, details annotation.details.
 */
void survey_tally(const char *survey, long long count, const char *details, json_t *said);

/* Counts go by bins: 1 to 10 each its own, then 11 to 50, then 51 and more. The least number of a count's bin. */
enum { COUNT_ELEVEN = 11, COUNT_MANY = 51 };
long long count_bin(long long count);
/* "7", "11-50", "51+". */
void count_text(long long count, char out[24]);
