/* CivetWeb's place: sockets, threads and HTTP's wire, turned into http_answer() and back. */
#pragma once

#include "http.h"

struct civet;

/*
 * Listens and answers with http_answer(app, ...) until civet_close.
 * Owns:   the caller owns *out; app must outlive it. *port is the one bound.
 * Errors: BAD_INPUT an address that is not HOST:PORT; CONFLICT the port is taken; FAULT.
 */
enum status civet_open(
	struct app *app, const char *listen, struct civet **out, int *port, struct err *err) MUST_CHECK;
void civet_close(struct civet *civet);
