/* The handlers of docs/api.md but the workers', for the tables in volunteer_routes and page_routes. */
#pragma once

#include "http.h"

handler handle_me, handle_signup, handle_login, handle_logout; /* _account.c */
handler handle_password, handle_invite;
handler handle_projects, handle_project, handle_status; /* _project.c */
handler handle_next, handle_classify, handle_undo;      /* _volunteer.c */
