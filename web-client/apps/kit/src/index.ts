/** What the demo apps share. */

export { Avatar, People } from "./components/avatar";
export { Icon, type IconName, Mark } from "./components/icons";
export { Notice } from "./components/notice";
export { type Signed, SignedIn } from "./components/signed-in";
export { TopBar } from "./components/top-bar";
export { type NoticeContent, useNotice } from "./hooks/use-notice";
export { messageOf } from "./model/message";
export { type Person, personOf, tidyName } from "./model/person";
export { unreachable } from "./model/unreachable";
export { start } from "./session/start";
