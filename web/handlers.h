/* The handlers of docs/api.md but the workers', for the tables in volunteer_routes and page_routes. */
#pragma once

#include "http.h"

/* What the route of one project begins with. */
#define PROJECT "/api/projects/{project}"

struct task;
/* A task's frames as docs/api.md has them. */
json_t *task_frames_json(const struct task *task);

handler handle_me, handle_signup, handle_login, handle_logout; /* _account.c */
handler handle_password, handle_invite, handle_delete;
handler handle_projects, handle_project, handle_status;             /* _project.c */
handler handle_page, handle_file;                                   /* _texts.c */
handler handle_flag, handle_flags, handle_comment, handle_comments; /* _talk.c */
handler handle_comment_hide, handle_moderation, handle_flag_close, handle_practice;
handler handle_next, handle_classify, handle_undo; /* _volunteer.c */

/* Adds a project's texts to its reply, and to the taxa that are in it (_texts.c). */
enum status put_texts(struct request *r, json_t *project, json_t *taxa, struct err *err) MUST_CHECK;
