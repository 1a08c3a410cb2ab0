/** The look of all panels; the last one changes the others in small windows. */

import "./panels.css";
import "./queue/queue.css";
import "./gallery/gallery.css";
import "./problems/problems.css";
import "./plugins/plugins.css";
import "./workflows/workflows.css";
import "./preferences/preferences.css";
import "./eight/eight.css";
import "./notices/notices.css";
import "./phone/phone.css";
import "./small.css";
