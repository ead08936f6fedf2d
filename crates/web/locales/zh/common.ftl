# 所有页面

skip-to-content = 跳到正文
navigation = 导航
footer = Onescan：一次扫码，付款并交付开票信息。
sign-in = 登录
sign-out = 退出
sign-out-of = 退出 { $name }
sign-up = 注册
theme-switch = 切换深浅模式
save = 保存
change = 修改
remove = 删除
cancel = 取消
close = 关闭
search = 搜索
copy = 复制
copied = 已复制
older = 更早
when = 时间
you = 您本人
reference = 查询号
try-again = 重试
to-start = 返回首页

nav-code = 付款码
nav-payments = 付款记录
nav-profiles = 开票
nav-privacy = 隐私
nav-account = 账户
nav-till = 收银台
nav-sales = 销售记录
nav-invoice = 开票终端

# 首页与演示

start-title = 一次扫码，付款开票一步完成
start-lead = 在收银台出示一个码：在付款方的额度内完成付款，商户同时得到正确的开票信息。无需填表，无需报税号。
start-programs = 程序可通过接口使用同样的功能：
door-person = 个人
door-person-what = 您的付款码、开票信息和付款记录。既可为自己付款，也可代表机构付款。
door-person-go = 出示付款码
door-till = 收银台
door-till-what = 输入金额，扫码，完成。可用扫码枪、摄像头，或只用键盘。
door-till-go = 打开收银台
door-invoice = 开票终端
door-invoice-what = 再扫一次同一个码，取得买方的开票信息。
door-invoice-go = 打开开票终端
demo = 演示
demo-you-are = 您现在是 { $name }。切换角色
demo-nobody = 尚未登录。请选择角色
demo-try = 试一试
demo-try-how = 一键登录。在一个屏幕上打开个人付款码，在另一个屏幕上打开收银台；也可以在上方的栏中切换角色。

# 错误

error-not-found = 页面或内容不存在
error-not-found-advice = 地址可能有误，或者内容属于他人。请返回后从列表中选择。
error-unreadable = 无法读取表单
error-unreadable-advice = 表单中有缺失或过长的内容。请返回检查后重新提交。
error-foreign = 表单来自其他网站
error-foreign-advice = 只接受本站页面的表单。请在本站打开页面后重新提交。
error-wrong-role = 此终端的用途不同
error-wrong-role-advice = 收银台用于收款，开票终端用于读取开票信息。请用另一台终端的密钥登录。
error-busy = 未执行：服务器繁忙或部分服务不可用
error-busy-advice = 没有任何改动。请稍候再试。
error-unknown-outcome = 尚不确定是否已完成
error-unknown-outcome-advice = 请不要重新开始。再次提交同一表单即可：最多执行一次，并得到首次的结果。
error-internal = 服务器出了问题
error-internal-advice = 这不是您的错。请重试；若再次出现，请把查询号告诉运营方。

text-empty = 请填写此项
text-long = 最多 { $max } 个字符
text-control = 请去掉换行和控制字符
form-wrong = 还有内容不正确，请查看标出的栏目。

# 登录与注册

login = 登录名
login-hint = 3 到 100 个字母、汉字或数字，也可用 . _ - @ +
login-shape = 登录名需要 3 到 100 个字母、汉字或数字，也可用 . _ - @ +
login-taken = 该登录名已被使用。请换一个，或直接登录。
password = 密码
password-hint = 至少 8 个字符。一句短话更容易记住。
password-short = 密码至少需要 8 个字符。
password-long = 密码最多 128 个字符。
password-same = 密码不能与登录名相同。
password-common = 这个密码太容易被猜到，请换一个。
sign-in-wrong = 登录名或密码不正确，请检查后重试。
sign-in-too-many = 密码错误次数过多，请在 { $clock } 之后再试。
no-account-yet = 还没有账户？
have-account = 已经注册？
at-a-till = 在收银台？
name = 姓名
email = 电子邮箱
email-optional = 电子邮箱（可不填）
email-shape = 电子邮箱的格式如 name@example.org
identity = 用哪种号码标识您？
identity-user_number = 由系统分配用户号
identity-credential = 身份证件
identity-cross_border_credential = 护照或其他出入境证件
identity-number = 证件号码
identity-number-hint = 仅在选择证件时填写。号码绝不会出现在付款码中。
identity-shape = 证件号码为 1 到 64 个字母、数字、连字符、点或斜线。
identity-taken = 该证件已注册，请直接登录。
currency = 货币
currency-unknown = 未知的货币
time-zone = 时区
time-zone-unknown = 未知的时区。请使用 Asia/Shanghai 这样的名称。
language-unknown = 暂不支持该语言
till-sign-in = 终端登录
till-key = 终端密钥
till-key-how = 商户管理员为每台终端领取一个密钥，以 key_ 开头。登录后本浏览器即为该终端，直到密钥被吊销。
till-key-wrong = 这不是终端密钥，或者密钥已被吊销。请领取新的密钥。

# 已完成

done-signed-out = 已退出
done-enabled = 付款码已开通
done-paused = 付款码已暂停
done-resumed = 付款码已恢复
done-chosen = 已发送给商户
done-profile-saved = 开票信息已保存
done-profile-removed = 开票信息已删除
done-withdrawn = 授权已撤回
done-session-ended = 已在该处退出
done-saved = 已保存
done-password-changed = 密码已修改
done-refunded = 已退款

# 付款状态

state-paid = 已付款
state-authorised = 已预留
state-paid-elsewhere = 已标记为其他方式付款
state-refused = 已拒绝
state-voided = 已释放
state-expired = 已过期
state-reversed = 已撤销
state-refunded = 已退款
state-partly-refunded = 部分退款

# 拒绝原因

dimension-amount = 单笔金额
dimension-amount_day = 每日金额
dimension-amount_month = 每月金额
dimension-count_day = 每日笔数
dimension-count_month = 每月笔数
dimension-weekday = 星期
dimension-clock = 时段
dimension-category = 商户类别
dimension-merchant = 商户
dimension-city = 城市
reason-at-most = { $rule }：最多 { $allowed }，本次将达到 { $seen }。
reason-at-least = { $rule }：至少 { $allowed }，本次为 { $seen }。
reason-in = { $rule }：允许 { $allowed }，本次为 { $seen }。
reason-not-in = { $rule }：不允许 { $allowed }，本次为 { $seen }。
reason-left = 还剩 { $left }。
refusal-currency = 账户货币为 { $payer }，商户收取的是 { $asked }。
refusal-scenario = 没有规则允许这类商户。
refusal-scenario-till = 买方的规则不允许这类商户。
refusal-consent = 您尚未同意在机构不支付时自行支付此金额。
refusal-funds = 账户余额不足。
refusal-funds-till = 付款账户余额不足。
