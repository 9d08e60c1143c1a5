/* The handlers of docs/api.md but the workers', for the tables in volunteer_routes and page_routes. */
#pragma once

#include "http.h"

handler handle_me, handle_signup, handle_login, handle_logout; /* _account.c */
handler handle_projects, handle_project, handle_status;        /* _project.c */
handler handle_page, handle_file;                              /* _texts.c */
handler handle_next, handle_classify, handle_undo;             /* _volunteer.c */

/* Adds a project's texts to its reply, and to the taxa that are in it (_texts.c). */
enum status put_texts(struct request *r, json_t *project, json_t *taxa, struct err *err) MUST_CHECK;
